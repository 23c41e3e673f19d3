/**
 * Environments: where each engine is installed. One that is not named apart runs in the worker's `CRITIC_PYTHON`. Asks an environment
 * what `python -m critic_trainer.engines` answers there.
 *
 * Side effects: none. A worker that is killed leaves at most an interpreter that ends by itself.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as z from 'zod';
import type { EngineName } from '../../domain/engines/registry.ts';
import type { Environment } from '../../domain/jobs/job-spec.ts';

/** An environment that the worker's config names. */
export interface EngineEnvironment extends Environment {
  /** As the config calls it, for messages. */
  field: string;
  /** A file, kept by the operator, with what the environment says of its engines. For workers that cannot run it. */
  engineFile: string | undefined;
}

/** Where the engines are: in `python`, except for those that have an environment of their own. */
export interface EngineSource {
  python: string;
  engineFile: string | undefined;
  environments?: Partial<Record<EngineName, EngineEnvironment>>;
}

/** The environment of an engine. The same object for all that are not named apart. */
export function environmentOf(job: EngineSource, engine: EngineName): EngineEnvironment {
  return job.environments?.[engine] ?? { python: job.python, engineFile: job.engineFile, field: 'CRITIC_PYTHON' };
}

/** Those of `items` whose engines share an environment, together. */
export function byEnvironment<Item>(
  items: readonly Item[],
  engineOf: (item: Item) => EngineName,
  job: EngineSource,
): { environment: EngineEnvironment; items: Item[] }[] {
  const groups = new Map<string, { environment: EngineEnvironment; items: Item[] }>();
  for (const item of items) {
    const environment = environmentOf(job, engineOf(item));
    const place = JSON.stringify([environment.python, environment.image?.path]);
    const group = groups.get(place) ?? { environment, items: [] };
    group.items.push(item);
    groups.set(place, group);
  }
  return [...groups.values()];
}

const run = promisify(execFile);
/** A cold environment on a slow shared file system takes ten seconds. */
export const patienceMs = 120_000;
const maxAnswerBytes = 256 * 1024;

/** What `python -m critic_trainer.engines <verb>` prints, given `input`. Throws what `execFile` throws, a refused verb included. */
export async function askTrainer(
  { python, image }: Environment,
  trainer: string,
  verb: string[],
  input: string,
): Promise<string> {
  const inImage =
    image === undefined ? [] : ['apptainer', 'exec', '--bind', [...image.binds, trainer].join(','), image.path];
  const [program = python, ...args] = [...inImage, python, '-P', '-m', 'critic_trainer.engines', ...verb];
  const asked = run(program, args, {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', PYTHONPATH: trainer, PYTHONDONTWRITEBYTECODE: '1' },
    timeout: patienceMs,
    killSignal: 'SIGKILL',
    maxBuffer: maxAnswerBytes,
  });
  // An interpreter that ends without reading breaks the pipe; its exit code says why.
  asked.child.stdin?.on('error', () => undefined).end(input);
  return (await asked).stdout;
}

const exitSchema = z
  .object({ code: z.union([z.string(), z.number()]).nullish(), stderr: z.string().catch('') })
  .catch({ code: null, stderr: '' });

/** What an interpreter left that did not answer: its exit code, or null if it was killed or took too long, and its last words. */
export function exitOf(error: unknown): { code: string | number | null; last: string } {
  const { code, stderr } = exitSchema.parse(error);
  return { code: code ?? null, last: stderr.trimEnd().split('\n').at(-1) ?? '' };
}
