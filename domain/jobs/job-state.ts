/**
 * Job state: how far a job's life has come, and how it goes on from one attempt to the next. Pure. The state is plain data, and a
 * run that continues as new takes it along.
 */
import { type Decision, emptyTally, renewedTally, type Tally } from './failure-policy.ts';
import type {
  CapturedStacks,
  CollectedAttempt,
  EarlierAttempts,
  JobObservation,
  KnownJob,
  PreparedAttempt,
  SubmittedJob,
} from './job-life.ts';
import { type AttemptChanges, attemptParams, firstAttempt, type JobOrder } from './job-spec.ts';
import { jobKind } from '../names.ts';
import type { Answerable, OperatorAnswer } from '../operator-answer.ts';

/** All that is needed to go on with a job. Its fields say how far the attempt has come: prepared, submitted, over, collected. */
export interface JobState {
  /** The current attempt's number, from 1. */
  attempt: number;
  changes: AttemptChanges;
  tally: Tally;
  /** GPU-hours of the attempts before this one, in earlier runs too. */
  gpuHours: number;
  /** Names of attempts of earlier runs that this job goes on from, oldest first. */
  earlier?: string[];
  prepared?: PreparedAttempt;
  job?: SubmittedJob;
  known?: KnownJob;
  /** Set when the job is over. `stalled`: it was ended because it got no further. `asked`: a person wanted its end. `unwell`: it trained sick. */
  over?: { stalled?: string; stacks?: CapturedStacks; asked?: true; unwell?: string };
  /** Kinds of signs of a sick training for which an attempt was ended. Whoever answers "retry" is not asked about them again. */
  unwell?: string[];
  /** What a person wants the next attempt to have. The one under way ends for it, with a checkpoint. */
  redo?: OperatorAnswer;
  /** Set when the attempt is collected. If it failed, the operator is asked, and `why` says why it is not retried by itself. */
  ended?: { collected: CollectedAttempt; why: string };
}

export const newJob: JobState = { attempt: 1, changes: firstAttempt, tally: emptyTally, gpuHours: 0 };

/** A job that goes on from what earlier runs have left. */
export function resumedJob({ attempts, checkpoint, progress, gpuHours, changes }: EarlierAttempts): JobState {
  return {
    ...newJob,
    changes: { ...firstAttempt, ...changes, resumeFrom: checkpoint },
    tally: { ...emptyTally, furthest: progress },
    gpuHours,
    earlier: attempts,
  };
}

/** Why another memory factor cannot change this order's attempts. Undefined if it can. */
export function noMemoryFactor({ stage, resources }: Pick<JobOrder, 'stage' | 'resources'>): string | undefined {
  if (resources.memory_mib !== undefined) return undefined;
  return `the recipe gives ${stage} no resources.memory_mib, so there is nothing to multiply: set it and start a new run`;
}

/** What changes of an operator can change this order's attempts. */
export function changeable(order: Pick<JobOrder, 'stage' | 'resources' | 'engine' | 'params'>): JobChangeable {
  const refused = noMemoryFactor(order);
  const halvings = Array.from({ length: 17 }, (_, count) =>
    JSON.stringify(attemptParams(order, { ...firstAttempt, microBatchHalvings: count })),
  );
  const mostHalvings = halvings.findLastIndex((params, count) => count === 0 || params !== halvings[count - 1]);
  return { mostHalvings, ...(refused === undefined ? {} : { noMemoryFactor: refused }) };
}
export type JobChangeable = Pick<Answerable, 'noMemoryFactor' | 'mostHalvings'>;

/** Why halving the micro-batch once more cannot change this order's attempts. Undefined if it can. */
function noHalving(order: Pick<JobOrder, 'stage' | 'engine' | 'params'>, changes: AttemptChanges): string | undefined {
  const once = { ...changes, microBatchHalvings: changes.microBatchHalvings + 1 };
  if (JSON.stringify(attemptParams(order, changes)) !== JSON.stringify(attemptParams(order, once))) return undefined;
  if (jobKind(order.stage) === 'predict') {
    return 'predictions are not made in micro-batches that could be halved: set a smaller predict.batch_size and start a new run';
  }
  return `its micro-batch cannot be halved any further (${changes.microBatchHalvings} halvings so far): shorten what it is given, or take a larger GPU`;
}

/** What the workflow knows after an observation. */
export function knownFrom({ state, stuck }: JobObservation, { told }: KnownJob): KnownJob {
  if (stuck === undefined) return { state, told };
  return { state, stuck, told: told.includes(stuck) ? told : [...told, stuck] };
}

/** Why a decision's remedy would run the same thing once more. Undefined if it would not. */
export function futile(order: JobOrder, changes: AttemptChanges, { changes: remedy }: Decision): string | undefined {
  const memory = remedy?.memoryFactor === undefined ? undefined : noMemoryFactor(order);
  const halving = remedy?.halveMicroBatch === true ? noHalving(order, changes) : undefined;
  const reason = memory ?? halving;
  return reason === undefined ? undefined : `A retry would run the same again: ${reason}.`;
}

export function beginNext(state: JobState, collected: CollectedAttempt, changes: AttemptChanges): void {
  state.attempt += 1;
  state.changes = changes;
  state.gpuHours += collected.gpuHours;
  for (const part of ['prepared', 'job', 'known', 'over', 'ended'] as const) delete state[part];
}

/** After an answer to a question. Nodes that the policy had set aside get a new chance: somebody has looked, and there may be no other nodes. */
export function answeredChanges(
  changes: AttemptChanges,
  answer: OperatorAnswer,
  collected: CollectedAttempt,
): AttemptChanges {
  return changedBy({ ...changes, excludeNodes: [] }, answer, collected);
}

/** After an attempt that a person has ended: it goes on where that was, with what they want of the next one. */
export function changedBy(
  changes: AttemptChanges,
  wanted: Omit<OperatorAnswer, 'stage' | 'action'>,
  { checkpoint }: Pick<CollectedAttempt, 'checkpoint'>,
): AttemptChanges {
  const { excludeNodes = [], allowNodes = [], partition, qos } = wanted;
  const allowed = [...(changes.allowNodes ?? []), ...allowNodes].filter((node) => !excludeNodes.includes(node));
  return {
    ...changes,
    resumeFrom: checkpoint ?? changes.resumeFrom,
    excludeNodes: [...new Set([...changes.excludeNodes.filter((node) => !allowNodes.includes(node)), ...excludeNodes])],
    timeLimitMinutes: wanted.timeLimitMinutes ?? changes.timeLimitMinutes,
    memoryFactor: wanted.memoryFactor ?? changes.memoryFactor,
    microBatchHalvings: wanted.microBatchHalvings ?? changes.microBatchHalvings,
    ...(allowed.length === 0 ? {} : { allowNodes: [...new Set(allowed)] }),
    ...(partition === undefined ? {} : { partition }),
    ...(qos === undefined ? {} : { qos }),
  };
}

/** Would the next attempt differ by what a person wants from the one that these changes have made? What it has already is no change. */
export function differsBy(
  { resources }: Pick<JobOrder, 'resources'>,
  changes: AttemptChanges,
  wanted: OperatorAnswer,
): boolean {
  const given = ({ allowNodes = [], excludeNodes, ...rest }: AttemptChanges) => {
    const excluded = [...resources.exclude_nodes.filter((node) => !allowNodes.includes(node)), ...excludeNodes];
    return JSON.stringify([
      [...new Set(excluded)].toSorted(),
      rest.timeLimitMinutes ?? resources.time_limit_minutes,
      rest.memoryFactor,
      rest.microBatchHalvings,
      rest.partition ?? resources.partition,
      rest.qos ?? resources.qos,
    ]);
  };
  return given(changedBy(changes, wanted, { checkpoint: null })) !== given(changes);
}

/** What a person wanted while no attempt was under way, for the one that begins now. */
export function takeRedo(state: JobState): void {
  if (state.redo === undefined) return;
  state.changes = changedBy(state.changes, state.redo, { checkpoint: null });
  state.tally = renewedTally(state.tally);
  delete state.redo;
}

/** The next attempt after one that a person has ended. It counts against no limit; what it has kept is no progress of the next one. */
export function beginAsked(state: JobState, collected: CollectedAttempt): void {
  const { redo = {}, tally, changes } = state;
  state.tally = {
    ...(state.redo === undefined ? tally : renewedTally(tally)),
    furthest: Math.max(tally.furthest, collected.progress ?? 0),
  };
  delete state.redo;
  beginNext(state, collected, changedBy(changes, redo, collected));
}

export function decidedChanges(
  changes: AttemptChanges,
  decision: Decision,
  collected: CollectedAttempt,
): AttemptChanges {
  return {
    ...changes,
    resumeFrom: decision.resume ? (collected.checkpoint ?? changes.resumeFrom) : null,
    excludeNodes: [...new Set([...changes.excludeNodes, ...decision.excludeNodes])],
    memoryFactor: changes.memoryFactor * (decision.changes?.memoryFactor ?? 1),
    microBatchHalvings: changes.microBatchHalvings + (decision.changes?.halveMicroBatch === true ? 1 : 0),
  };
}

/** A stuck attempt. If it had finished its work after all, it counts as what it is. */
export function stalledAttempt(
  found: CollectedAttempt,
  why: string,
  stacks: CapturedStacks | undefined,
): CollectedAttempt {
  if (found.jobClass === 'completed') return found;
  const where = stacks === undefined || stacks.tail === '' ? 'it left no stacks' : `stacks in ${stacks.path}`;
  const logTail = stacks === undefined || stacks.tail === '' ? found.logTail : stacks.tail;
  return { ...found, jobClass: 'stalled', evidence: `${why}; ${where}`, logTail };
}

/** An attempt that Slurm turned down: there is no job to watch or collect. */
export function refusedAttempt(said: string, setAside: string[]): CollectedAttempt {
  const evidence = setAside.length === 0 ? said : `${said}; set aside after failures: ${setAside.join(', ')}`;
  const nothing = { logTail: '', node: '', progress: null, checkpoint: null, gpuHours: 0, seconds: 0 };
  return { jobClass: 'refused', evidence, slurmState: 'REFUSED', ...nothing };
}
