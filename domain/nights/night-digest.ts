/** The digest of a night: what people read in the morning. Pure text. */
import type { Difference } from '../evaluation/comparison.ts';
import type { Estimate } from '../evaluation/resampling.ts';
import { type Night, type NightOutcome, pausesSchedule } from './night.ts';
import { nightNotice, nightTitle } from './night-notices.ts';
import type { Notice, NoticeKind } from '../notices/notice.ts';
import { noMainScoreAdvice } from '../notices/run-notices.ts';

/** Against whom a night's critic is compared, in MainScore on the test split. `same`: it has the very same evaluation. */
export interface Rivalry {
  /** Run of the rival. */
  run: string;
  change: Difference | 'same';
}

/** What an attempt of a job took of GPUs. */
export interface AttemptHours {
  attempt: string;
  gpuHours: number;
  /** Why its work did not end well. null: it did, or was cut at a checkpoint. */
  wasted: string | null;
}

/** What is said of a night that has ended with a run. What is undefined is not known. */
export interface Digested {
  run: string;
  outcome: NightOutcome;
  score?: Estimate;
  /** Why there is no MainScore, or none with an interval. */
  whyNoScore?: string;
  lastNight?: Rivalry;
  /** With its version, and its own MainScore as it was promoted. */
  champion?: Rivalry & { version?: number; mainScore?: number | null };
  /** USD that the teacher was paid in this run; what its estimate expected. */
  usd?: { spent: number; expected: number | null };
  attempts?: AttemptHours[];
  /** GPU-hours that its estimate expected. */
  gpuHoursExpected?: number;
  /** It was stopped for the next night, which goes on from it. */
  isTakenOver?: boolean;
  /** Path of the report. */
  report?: string;
  /** Parts that could not be read, and why. */
  missing?: string[];
}

const words: Record<NightOutcome['verdict'], string> = {
  passed: 'passed the gate',
  'not-passed': 'did not pass the gate',
  failed: 'failed',
  cancelled: 'was cancelled',
  stopped: 'was stopped by its deadline',
};

/** What the end of such a run is told as that is no night's: the digest tells it in its place. */
const kinds = {
  passed: 'passed',
  'not-passed': 'not-passed',
  failed: 'failed',
  cancelled: 'cancelled',
  stopped: 'cancelled',
} as const satisfies Record<NightOutcome['verdict'], NoticeKind>;

/** What a person must do, or may, about a night that ended so; and what to type. */
function todo(
  verdict: NightOutcome['verdict'],
  { run, night, hasNoScore }: { run: string; night: string; hasNoScore: boolean },
): { sentence: string; commands: string[] } {
  const look = `critic status ${run}`;
  switch (verdict) {
    case 'failed':
      return {
        sentence: 'Mend what the first line names, then resume the run.',
        commands: [`critic resume ${run}`, look],
      };
    case 'cancelled':
      return { sentence: 'Somebody cancelled it. It can be resumed.', commands: [`critic resume ${run}`, look] };
    case 'stopped':
      return {
        sentence: 'Nothing is to be done: the next night goes on from there.',
        commands: [`critic schedule describe ${night}`],
      };
    case 'passed':
    case 'not-passed':
      return { sentence: hasNoScore ? noMainScoreAdvice : 'Nothing is to be done.', commands: [look] };
  }
}

export function digestNotice(night: Night, at: string, now: string, digested: Digested): Notice {
  const { run, outcome, score, whyNoScore, lastNight, champion, missing = [] } = digested;
  const { verdict, sentence, nothingNew } = outcome;
  const isPaused = night.pause_on_failure && pausesSchedule(verdict);
  const isTakenOver = verdict === 'cancelled' && digested.isTakenOver === true;
  const next = todo(isTakenOver ? 'stopped' : verdict, { run, night: night.name, hasNoScore: score?.value === null });
  return nightNotice(night, at, 'ended', {
    kind: 'night-ended',
    also: [kinds[verdict]],
    at: now,
    run,
    title: `${nightTitle(night.name, at)} ${isTakenOver ? 'gave way to the next night' : words[verdict]}${nothingNew ? ': nothing new' : ''}`,
    text: [
      sentence,
      ...(nothingNew ? ['Nothing new: every artifact was there already, and nothing was spent.'] : []),
      ...(score === undefined ? [] : [`MainScore ${estimateText(score, whyNoScore)}`]),
      ...(lastNight === undefined ? [] : [`Against last night (${lastNight.run}): ${changeText(lastNight)}`]),
      ...(champion === undefined ? [] : [`Against the champion (${champion.run}): ${changeText(champion)}`]),
      ...usdLine(digested),
      ...gpuLines(digested),
      ...(digested.report === undefined ? [] : [`Report: ${digested.report}`]),
      ...missing.map((one) => `Not known: ${one}`),
      next.sentence,
      ...(isPaused ? ['Its schedule is paused.'] : []),
    ].join('\n'),
    commands: [...next.commands, ...(isPaused ? [`critic schedule unpause ${night.name}`] : [])],
  });
}

function estimateText({ value, interval }: Estimate, why: string | undefined): string {
  const because = why === undefined ? '' : `: ${why}`;
  return `${value?.toFixed(3) ?? 'undefined'}${intervalText(interval)}${because}`;
}

function changeText({ change }: Rivalry): string {
  if (change === 'same') return 'the same evaluation';
  const { estimate, difference } = change;
  if (estimate === null) return 'cannot be compared, as one of them has no MainScore';
  return `${estimate < 0 ? '' : '+'}${estimate.toFixed(3)}${intervalText(difference)}`;
}

function intervalText(interval: Estimate['interval']): string {
  return interval === null ? '' : ` [${interval[0].toFixed(3)}, ${interval[1].toFixed(3)}]`;
}

function usdLine({ usd }: Digested): string[] {
  if (usd === undefined) return [];
  const beside = usd.expected === null ? '' : `, $${usd.expected.toFixed(2)} expected`;
  return [`Teacher: $${usd.spent.toFixed(2)} spent${beside}`];
}

function gpuLines({ attempts, gpuHoursExpected: expected }: Digested): string[] {
  if (attempts === undefined) return [];
  const sum = (list: readonly AttemptHours[]) => list.reduce((all, { gpuHours }) => all + gpuHours, 0).toFixed(3);
  const wasted = attempts.filter((one) => one.wasted !== null);
  const beside = expected === undefined ? '' : `, ${expected.toFixed(3)} expected`;
  const used = `GPU-hours: ${sum(attempts)} used${beside}, ${sum(wasted)} of them in attempts that did not end well`;
  return [used, ...wasted.map(({ attempt, gpuHours, wasted: why }) => `  ${attempt}: ${gpuHours.toFixed(3)}, ${why}`)];
}
