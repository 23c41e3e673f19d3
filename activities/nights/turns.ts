/**
 * Turns of a night: which of its nights holds the right to have a run. `<store>/nights/<night>/turn-000007.json` says who took turn 7 and never changes;
 * beside it `turn-000007.run.json` has the run that was begun, and `turn-000007.end.json` how it ended. The highest number is the newest.
 *
 * A turn is taken by link(2), so of two nights that begin at once one gets it, on any hosts. kill -9 before the link leaves a `.tmp` that nobody reads; after
 * it the night finds the turn its own. The other two files are replaced atomically, and only by the turn's own night.
 *
 * Nights that wait have an empty file in `queue/`, named by their time and workflow: its name is all, so it needs no room and cannot be half written.
 * One of a night that is over does not count, whoever was killed before it was removed.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { paths } from '../../domain/names.ts';
import { nightVerdicts } from '../../domain/nights/night.ts';
import { namesIn, whenListed } from '../../files/fresh-look.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { refuse } from '../failure.ts';
import { hasCode, syncFolder, writeFileAtomic } from '../store/durable-file.ts';

const maxBytes = 16 * 1024;

const turnSchema = z.strictObject({ schema: z.literal(1), workflow: z.string(), at: z.string() });
const runSchema = z.strictObject({
  schema: z.literal(1),
  run: z.string(),
  resumes: z.string().nullable(),
  commit: z.string().nullable(),
  begunAt: z.string(),
});
const endSchema = z.strictObject({
  schema: z.literal(1),
  verdict: z.enum(nightVerdicts),
  run: z.string().nullable(),
  nothingNew: z.boolean(),
  endedAt: z.string(),
});

export type TurnRun = z.output<typeof runSchema>;
export type TurnEnd = z.output<typeof endSchema>;
export interface Turn {
  number: number;
  workflow: string;
  at: string;
}

export class Turns {
  readonly folder: string;

  constructor(storeRoot: string, night: string) {
    this.folder = paths.night(storeRoot, night);
  }

  /** The newest turn. Undefined: no night has had one. */
  async newest(): Promise<Turn | undefined> {
    const numbers = [...(await namesIn(this.folder))].flatMap((name) => {
      const [, digits] = /^turn-(\d{6})\.json$/.exec(name) ?? [];
      return digits === undefined ? [] : [Number(digits)];
    });
    return numbers.length === 0 ? undefined : this.read(Math.max(...numbers));
  }

  async read(number: number): Promise<Turn | undefined> {
    const turn = await this.#read(nameOf(number), turnSchema);
    return turn === undefined ? undefined : { number, workflow: turn.workflow, at: turn.at };
  }

  /** `taken`: another night was first. */
  async take({ number, workflow, at }: Turn): Promise<'ours' | 'taken'> {
    await mkdir(this.folder, { recursive: true, mode: 0o750 });
    const temporary = join(this.folder, `.${randomUUID()}.tmp`);
    try {
      const file = await open(temporary, 'wx', 0o440);
      try {
        await file.writeFile(`${JSON.stringify({ schema: 1, workflow, at })}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await link(temporary, join(this.folder, nameOf(number)));
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return 'taken';
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    await syncFolder(this.folder);
    return 'ours';
  }

  /** Who waits for a turn has a place by its time. `new`: it had none. */
  async queue({ workflow, at }: Omit<Turn, 'number'>): Promise<'new' | 'known'> {
    if ((await this.queued()).some((one) => one.workflow === workflow)) return 'known';
    await mkdir(this.#queue, { recursive: true, mode: 0o750 });
    await writeFile(join(this.#queue, `${new Date(at).toISOString()}~${workflow}`), '', { mode: 0o640 });
    return 'new';
  }

  /** Nights that wait, in the order of their times. */
  async queued(): Promise<Omit<Turn, 'number'>[]> {
    const names = [...(await namesIn(this.#queue))].toSorted();
    return names.map((name) => ({ at: name.slice(0, name.indexOf('~')), workflow: name.slice(name.indexOf('~') + 1) }));
  }

  async unqueue(workflow: string): Promise<void> {
    for (const one of await this.queued()) {
      if (one.workflow === workflow) await rm(join(this.#queue, `${one.at}~${workflow}`), { force: true });
    }
  }

  get #queue(): string {
    return join(this.folder, 'queue');
  }

  async run(number: number): Promise<TurnRun | undefined> {
    return this.#read(nameOf(number, '.run'), runSchema);
  }

  async end(number: number): Promise<TurnEnd | undefined> {
    return this.#read(nameOf(number, '.end'), endSchema);
  }

  async writeRun(number: number, run: Omit<TurnRun, 'schema'>): Promise<void> {
    await this.#write(nameOf(number, '.run'), { schema: 1, ...run });
  }

  async writeEnd(number: number, end: Omit<TurnEnd, 'schema'>): Promise<void> {
    await this.#write(nameOf(number, '.end'), { schema: 1, ...end });
  }

  async #write(name: string, value: TurnRun | TurnEnd): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o750 });
    await writeFileAtomic(join(this.folder, name), `${JSON.stringify(value)}\n`);
  }

  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await whenListed(this.folder, name, (path) => readRegularText(path, maxBytes));
    if (text === undefined) return undefined;
    const { data } = schema.safeParse(parseJson(text));
    if (data === undefined) throw refuse('DataInvalid', `"${join(this.folder, name)}" is not as a night writes it`);
    return data;
  }
}

function nameOf(number: number, what = ''): string {
  return `turn-${String(number).padStart(6, '0')}${what}.json`;
}
