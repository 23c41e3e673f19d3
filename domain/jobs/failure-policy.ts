/**
 * Failure policy: class → action, as data (docs/CONTRACTS.md §5). The workflow asks after each failed attempt; nothing here
 * knows Slurm or Temporal.
 */
import type { JobClass } from './job-outcome.ts';
import { type FailureClass, failureClasses } from '../names.ts';
import type { PolicyOverrides } from '../recipe.ts';

/** What of a failed attempt decides what follows. */
export interface PastAttempt {
  jobClass: JobClass;
  node: string;
  /** Steps or rows it got to; null if none. */
  progress: number | null;
}

/**
 * What counts against a job's limits. Its size does not grow with the number of attempts. A run that continues as new takes it
 * along.
 */
export interface Tally {
  /** Steps or rows that any attempt got to. */
  furthest: number;
  /** Attempts that count, from the one that got furthest on, with it. */
  counted: number;
  /** Attempts of each class. Classes that progress renews are counted from the attempt that got furthest on. */
  byClass: Partial<Record<FailureClass, number>>;
  /** Attempts in a row that count and got no further than all before them. */
  withoutProgress: number;
}

export const emptyTally: Tally = { furthest: 0, counted: 0, byClass: {}, withoutProgress: 0 };

export interface Decision {
  action: 'retry' | 'operator';
  /** Resume from the newest checkpoint, if there is one. */
  resume: boolean;
  excludeNodes: string[];
  changes?: { memoryFactor?: number; halveMicroBatch?: boolean };
  /** One sentence, for the operator. */
  why: string;
}

interface Rule {
  /** Times this class may be retried; 0 = operator at once. */
  retries: number;
  resume: boolean;
  excludeNode: boolean;
  /** Does the attempt count against the run's limit? Preemption is nobody's fault. */
  counted: boolean;
  /** Is it retried only while it makes progress? A job that never gets further must not be retried for ever. */
  needsProgress: boolean;
  /** Does an attempt that got further than all before it begin this class's count anew? Otherwise all attempts of the class count. */
  renewed: boolean;
  changes?: Decision['changes'];
}

export type FailurePolicy = Record<FailureClass, Rule>;

const base: Rule = {
  retries: 2,
  resume: true,
  excludeNode: false,
  counted: true,
  needsProgress: false,
  renewed: false,
};
const elsewhere: Rule = { ...base, excludeNode: true };
const atOnce: Rule = { ...base, retries: 0, resume: false };
const again: Rule = base;
const onward: Rule = { ...base, retries: 50, needsProgress: true, renewed: true };
const nobodysFault: Rule = { ...base, retries: Infinity, counted: false, renewed: true };

export const defaultPolicy: FailurePolicy = {
  'node-failed': { ...elsewhere, retries: 5, renewed: true },
  'launch-failed': elsewhere,
  stalled: elsewhere,
  preempted: nobodysFault,
  // Slurm is told not to requeue. So an administrator did it, or a loop in the site's own scripts, and somebody must look.
  requeued: { ...nobodysFault, retries: 20 },
  refused: atOnce,
  'time-limit': onward,
  checkpointed: onward,
  'out-of-memory': { ...again, retries: 1, changes: { memoryFactor: 1.5 } },
  'gpu-out-of-memory': { ...again, retries: 3, changes: { halveMicroBatch: true } },
  'bad-data': atOnce,
  'bad-config': atOnce,
  'cancelled-by-other': atOnce,
  'postcondition-failed': { ...atOnce, retries: 1 },
  bug: { ...again, retries: 1 },
  'try-again': { ...again, retries: 3 },
  killed: again,
  lost: again,
  unknown: again,
};

/** The default policy, changed by what a recipe says, class by class and field by field. */
export function policyWith(overrides: PolicyOverrides): FailurePolicy {
  const policy = { ...defaultPolicy };
  for (const [name, rule] of Object.entries(overrides)) {
    const jobClass = failureClasses.find((one) => one === name);
    if (jobClass === undefined || rule === undefined) continue;
    const { retries, resume, exclude_node: excludeNode, counted, needs_progress: needsProgress } = rule;
    const said = Object.entries({ retries, resume, excludeNode, counted, needsProgress });
    policy[jobClass] = { ...policy[jobClass], ...Object.fromEntries(said.filter(([, value]) => value !== undefined)) };
  }
  return policy;
}

/** The tally with one more failed attempt. An attempt that got further than all before it begins the count anew. */
export function withAttempt(tally: Tally, attempt: PastAttempt, policy: FailurePolicy = defaultPolicy): Tally {
  const { jobClass } = attempt;
  if (jobClass === 'completed') throw new Error('a tally is of failed attempts');
  const { counted } = policy[jobClass];
  const progress = attempt.progress ?? 0;
  const further = progress > tally.furthest;
  const byClass = further ? withoutRenewed(tally.byClass, policy) : tally.byClass;
  return {
    furthest: Math.max(progress, tally.furthest),
    counted: (further ? 0 : tally.counted) + (counted ? 1 : 0),
    byClass: { ...byClass, [jobClass]: (byClass[jobClass] ?? 0) + 1 },
    withoutProgress: further ? 0 : tally.withoutProgress + (counted ? 1 : 0),
  };
}

function withoutRenewed(byClass: Tally['byClass'], policy: FailurePolicy): Tally['byClass'] {
  const kept = failureClasses.filter((name) => byClass[name] !== undefined && !policy[name].renewed);
  return Object.fromEntries(kept.map((name) => [name, byClass[name]]));
}

/** The tally after an operator's retry. Somebody has looked, so nothing counts any more. How far the job got is kept. */
export function renewedTally({ furthest }: Tally): Tally {
  return { ...emptyTally, furthest };
}

/** What to do after `last`, the newest attempt in `tally`. */
export function decide(
  tally: Tally,
  last: PastAttempt,
  { maxAttempts, policy = defaultPolicy }: { maxAttempts: number; policy?: FailurePolicy },
): Decision {
  if (last.jobClass === 'completed') throw new Error('decide() is for failed attempts');
  const rule = policy[last.jobClass];
  const same = tally.byClass[last.jobClass] ?? 0;
  const ask = (why: string): Decision => ({ action: 'operator', resume: rule.resume, excludeNodes: [], why });
  if (rule.retries === 0) return ask('This is not retried by itself.');
  if (same > rule.retries) return ask(`It happened ${same} times${rule.renewed ? ' without progress' : ''}.`);
  if (rule.counted && tally.counted >= maxAttempts) {
    return ask(`That was attempt ${tally.counted} of at most ${maxAttempts}.`);
  }
  if (rule.needsProgress && tally.withoutProgress >= 2) return ask('Two attempts in a row made no progress.');
  return {
    action: 'retry',
    resume: rule.resume,
    excludeNodes: rule.excludeNode && last.node !== '' ? [last.node] : [],
    ...(rule.changes === undefined ? {} : { changes: rule.changes }),
    why: 'Retrying.',
  };
}
