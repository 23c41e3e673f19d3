/** Did each night end as it should? Pure: from what was played, counted and told to a verdict. */
import * as z from 'zod';
import type { NightResult } from '../../domain/nights/night.ts';
import { noticeKinds } from '../../domain/notices/notice.ts';
import type { MonthCounts } from './counting.ts';

/** `made`: jobs ran. `reused`: nothing had changed. */
export type Expected = 'made' | 'reused' | 'wrong-recipe' | 'skipped';

export interface Played {
  number: number;
  expected: Expected;
  result: NightResult;
}

const notice = z.looseObject({
  id: z.string(),
  kind: z.enum(noticeKinds),
  title: z.string(),
  text: z.string(),
  run: z.string().optional(),
});

/** `told`: the lines of the channel's file. `lines`: digests and counts, to print. */
export function verdictOn(
  played: readonly Played[],
  counts: MonthCounts,
  told: readonly string[],
): { lines: string[]; faults: string[] } {
  const notices = told.map((line) => notice.parse(JSON.parse(line)));
  const digests = notices.filter(({ kind }) => kind.startsWith('night-'));
  const jobs = [...counts.jobsOf.values()].reduce((sum, count) => sum + count, 0);
  const lines = [
    ...digests.map(({ kind, title, text }) => `\n── ${kind}: ${title}\n${text.trimEnd()}`),
    '',
    `nights: ${played.length}; ${verdictsOf(played)}`,
    `Slurm accounted ${jobs} jobs of ${counts.jobsOf.size} runs; ${counts.attempts} attempts, ${counts.artifacts} artifacts in the store`,
    `attempts with more than one job: ${counts.doubled.length}; jobs without an attempt: ${counts.strangers.length}; artifacts that two jobs made: ${counts.madeTwice.length}`,
    `notices: ${notices.length}, of ${new Set(notices.map(({ id }) => id)).size} ids; digests: ${digests.length}`,
  ];
  const faults = [
    ...counts.doubled.map((name) => `Slurm had more than one job ${name}`),
    ...counts.strangers.map((name) => `job ${name} has no attempt in the store`),
    ...counts.madeTwice.map((artifact) => `${artifact} was made by two jobs`),
    ...played.flatMap((one) => faultsOf(one, counts)),
    ...(played.length > 0 && digests.length < played.length
      ? [`${played.length - digests.length} nights have no digest`]
      : []),
    ...(new Set(notices.map(({ id }) => id)).size < notices.length ? ['a notice was told twice'] : []),
  ];
  return { lines, faults };
}

function faultsOf({ number, expected, result }: Played, { jobsOf }: MonthCounts): string[] {
  const { verdict, run, nothingNew } = result;
  const fault = (what: string) => [`night ${number}: expected ${expected}, got ${what}`];
  if (expected === 'skipped' || expected === 'wrong-recipe') return verdict === expected ? [] : fault(verdict);
  if (verdict !== 'passed' && verdict !== 'not-passed') return fault(`${verdict}: ${result.sentence}`);
  const jobs = jobsOf.get(run ?? '') ?? 0;
  if (expected === 'reused') return jobs === 0 && nothingNew ? [] : fault(`${jobs} jobs, nothing new: ${nothingNew}`);
  // SFT, GRPO and the predictions after them; those of the base where its prompts are new.
  return jobs >= 4 && jobs <= 5 && !nothingNew ? [] : fault(`${jobs} jobs, nothing new: ${nothingNew}`);
}

function verdictsOf(played: readonly Played[]): string {
  const verdicts = new Map<string, number>();
  for (const { result } of played) verdicts.set(result.verdict, (verdicts.get(result.verdict) ?? 0) + 1);
  return [...verdicts].map(([verdict, times]) => `${verdict} ${times}`).join(', ');
}
