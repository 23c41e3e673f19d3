/**
 * Failure policy: class → action, as data (contracts.md §5). The workflow asks after each failed attempt; nothing here
 * knows Slurm or Temporal.
 */
import type { JobClass } from './job-outcome.ts';
import { type FailureClass, failureClasses } from './names.ts';
import type { PolicyOverrides } from './recipe.ts';

/** One failed attempt, oldest first in a list. */
export interface PastAttempt {
  jobClass: JobClass;
  evidence: string;
  node: string;
  /** Steps or rows it got to; null if none. */
  progress: number | null;
  gpuHours: number;
}

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
  /** Retrying needs progress since the last attempt: a job that never gets further is not retried for ever. */
  needsProgress: boolean;
  changes?: Decision['changes'];
}

export type FailurePolicy = Record<FailureClass, Rule>;

const elsewhere: Rule = { retries: 5, resume: true, excludeNode: true, counted: true, needsProgress: false };
const atOnce: Rule = { retries: 0, resume: false, excludeNode: false, counted: true, needsProgress: false };
const again: Rule = { retries: 2, resume: true, excludeNode: false, counted: true, needsProgress: false };
const onward: Rule = { retries: 50, resume: true, excludeNode: false, counted: true, needsProgress: true };

export const defaultPolicy: FailurePolicy = {
  'node-failed': elsewhere,
  'launch-failed': { ...elsewhere, retries: 2 },
  stalled: { ...elsewhere, retries: 2 },
  preempted: { ...again, retries: 1000, counted: false },
  requeued: { ...again, retries: 1000, counted: false },
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

/** The default policy with what a recipe says otherwise, class by class and field by field. */
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

/** What to do after the last of these attempts. `past` must not be empty. */
export function decide(
  past: readonly PastAttempt[],
  { maxAttempts, policy = defaultPolicy }: { maxAttempts: number; policy?: FailurePolicy },
): Decision {
  const last = past.at(-1);
  if (last === undefined || last.jobClass === 'completed') throw new Error('decide() is for failed attempts');
  const rule = policy[last.jobClass];
  const same = past.filter((attempt) => attempt.jobClass === last.jobClass).length;
  const counted = past.filter((attempt) => attempt.jobClass === 'completed' || policy[attempt.jobClass].counted).length;
  const ask = (why: string): Decision => ({ action: 'operator', resume: rule.resume, excludeNodes: [], why });
  if (rule.retries === 0) return ask('This is not retried by itself.');
  if (same > rule.retries) return ask(`It happened ${same} times.`);
  if (counted >= maxAttempts) return ask(`That was attempt ${counted} of at most ${maxAttempts}.`);
  if (rule.needsProgress && stuckTwice(past)) return ask('Two attempts in a row made no progress.');
  return {
    action: 'retry',
    resume: rule.resume,
    excludeNodes: rule.excludeNode && last.node !== '' ? [last.node] : [],
    ...(rule.changes === undefined ? {} : { changes: rule.changes }),
    why: 'Retrying.',
  };
}

/** Did the last two attempts both get no further than what stood before them? */
function stuckTwice(past: readonly PastAttempt[]): boolean {
  const reached = (count: number) => Math.max(0, ...past.slice(0, count).map((attempt) => attempt.progress ?? 0));
  return past.length >= 2 && reached(past.length) <= reached(past.length - 2);
}
