/**
 * What the store keeps of nights for `nights.html`, in a night's folder: `turn-000007.digest.json` is what was known when the run of turn 7 ended, and
 * `told-20261128-013000.json` says why a night had no run. The first is written by the night's own digest, the second from the notice that told people, so it stays
 * when old notices are removed. Both are replaced atomically by the same content, so a kill -9 or a second writer does no harm.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { paths } from '../../domain/names.ts';
import { nightVerdicts } from '../../domain/nights/night.ts';
import type { Digested } from '../../domain/nights/night-digest.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { writeFileAtomic } from '../store/durable-file.ts';

const maxBytes = 256 * 1024;

const interval = z.tuple([z.number(), z.number()]).nullable();
const rival = z.object({
  run: z.string(),
  /** Ours − theirs in MainScore. `same`: the very same evaluation. */
  change: z.union([z.literal('same'), z.object({ estimate: z.number().nullable(), difference: interval })]),
});
const digestSchema = z.object({
  schema: z.literal(1),
  night: z.string(),
  /** When it was to begin, ISO, UTC. */
  at: z.string(),
  run: z.string(),
  verdict: z.enum(nightVerdicts),
  /** Why, in one sentence. */
  sentence: z.string(),
  nothingNew: z.boolean(),
  /** MainScore of the critic in [−1, 1]. null, here and below: not known. */
  score: z.object({ value: z.number().nullable(), interval }).nullable(),
  lastNight: rival.nullable(),
  /** The champion before this night's own promotion. */
  champion: rival.extend({ version: z.number().nullable(), mainScore: z.number().nullable() }).nullable(),
  /** USD that the teacher was paid in this run, and what was expected. */
  usd: z.object({ spent: z.number(), expected: z.number().nullable() }).nullable(),
  gpuHours: z.object({ used: z.number(), wasted: z.number(), expected: z.number().nullable() }).nullable(),
  /** Attempts whose work did not end well. */
  wasted: z.array(z.object({ attempt: z.string(), gpuHours: z.number(), why: z.string() })),
  missing: z.array(z.string()),
});
export type NightDigest = z.output<typeof digestSchema>;

const toldSchema = z.object({
  schema: z.literal(1),
  night: z.string(),
  /** When it was to begin, ISO, UTC. */
  at: z.string(),
  verdict: z.enum(['skipped', 'wrong-recipe']),
  why: z.string(),
  /** Id of the notice that told people. */
  notice: z.string(),
});
export type NightTold = z.output<typeof toldSchema>;

/** What the digest of a night found, as it is kept. */
export function digestOf(night: string, at: string, { run, outcome, ...found }: Digested): NightDigest {
  const { score, lastNight, champion, usd, attempts, gpuHoursExpected: expected, missing = [] } = found;
  const hours = (list: readonly { gpuHours: number }[]) => list.reduce((all, one) => all + one.gpuHours, 0);
  const wasted = (attempts ?? []).flatMap(({ attempt, gpuHours, wasted: why }) =>
    why === null ? [] : [{ attempt, gpuHours, why }],
  );
  return digestSchema.parse({
    schema: 1,
    night,
    at,
    run,
    ...outcome,
    score: score === undefined ? null : { value: score.value, interval: score.interval },
    lastNight: lastNight ?? null,
    champion:
      champion === undefined
        ? null
        : { ...champion, version: champion.version ?? null, mainScore: champion.mainScore ?? null },
    usd: usd ?? null,
    gpuHours:
      attempts === undefined ? null : { used: hours(attempts), wasted: hours(wasted), expected: expected ?? null },
    wasted,
    missing,
  });
}

export const digestName = (turn: number) => `turn-${String(turn).padStart(6, '0')}.digest.json`;
/** `stamp`: the night's time as `20261128-013000`, UTC. */
export const toldName = (stamp: string) => `told-${stamp}.json`;

export async function writeDigest(root: string, turn: number, digest: NightDigest): Promise<void> {
  await write(root, digest.night, digestName(turn), digest);
}

export async function writeTold(root: string, stamp: string, told: NightTold): Promise<void> {
  await write(root, told.night, toldName(stamp), told);
}

async function write(root: string, night: string, name: string, content: NightDigest | NightTold): Promise<void> {
  const folder = paths.night(root, night);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  await writeFileAtomic(join(folder, name), `${JSON.stringify(content)}\n`);
}

/** Undefined: it is not as a night writes it. */
export async function readDigest(path: string): Promise<NightDigest | undefined> {
  return digestSchema.safeParse(parseJson(await readRegularText(path, maxBytes))).data;
}

export async function readTold(path: string): Promise<NightTold | undefined> {
  return toldSchema.safeParse(parseJson(await readRegularText(path, maxBytes))).data;
}
