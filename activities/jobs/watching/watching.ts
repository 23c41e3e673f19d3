/**
 * Watching a job: a heartbeating activity that returns when the job's state changes, when the job gets stuck or free, and when it is over.
 * Everything else, such as a pending reason that changes every minute, is sent with heartbeats. The watcher asks the shared poller and
 * never Slurm itself. It looks into the attempt's folder twice a second, and when an outcome appears: it notices a finished job by its
 * outcome file and a stuck one by its metrics. It asks for no file by name before the folder's listing has it: a shared file system would
 * remember for a minute that the file was absent. Where the recipe wants it, it also returns when a training gets sick. It has no side effect: after a kill -9 the next try goes on watching.
 */
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { isTerminal, type SlurmJob } from 'slurm-rest-client';
import type { JobObservation, WatchInput } from '../../../domain/jobs/job-life.ts';
import { attemptFiles, countsRows, jobKind } from '../../../domain/names.ts';
import { judgePendingReason, LastingReason } from '../../../domain/jobs/pending-reason.ts';
import type { StageProgress } from '../../../domain/jobs/progress.ts';
import { judgeSilence } from '../../../domain/health/stall.ts';
import { namesIn } from '../../../files/fresh-look.ts';
import { findOutcome, saysDone } from '../attempt-files.ts';
import { MetricsTail } from '../attempt-metrics.ts';
import type { JobDeps } from '../deps.ts';
import { HealthWatch } from './health-watch.ts';
import type { PolledState } from './polled-state.ts';
import { OutcomeBell } from './outcome-bell.ts';
import { StallClock } from './stall-clock.ts';

/** A job unknown to a healthy controller for this long, with no end in slurmdbd and no outcome file, is over (docs/CONTRACTS.md §4). */
const absentMs = 5 * 60_000;
/** After an outcome other than 0, Slurm gets this long to say why (time limit, preemption). Then the file counts. */
const settleMs = 15_000;
const absent = { kind: 'absent' } as const;

/**
 * All watchers of a worker together heartbeat so often a second at most, and each one at least once in so many ms, which is well below its heartbeat
 * timeout. A hundred watchers are slowed by nothing but the worker's own throttle. More would leave a small Temporal server no time for anything else: with
 * 250 a second new runs began at a third of the pace (bench/runs).
 */
const heartbeats = { perSecond: 50, atLeastMs: 8_000 };

/**
 * The first sentences on what keeps a job from starting are told at once. Later, and for a sentence that was told before, the reason must
 * have lasted this long: a reason that comes and goes would fill the run's history. Heartbeats show it meanwhile.
 */
const steady = { ms: 5 * 60_000, sentences: 10 };

/** A watcher asks the poller only for what it watches. */
export interface WatchDeps {
  poller: Pick<JobDeps['poller'], 'watch'>;
  job: Pick<JobDeps['job'], 'fileIntervalMs'>;
}

export function createWatchActivities(deps: WatchDeps) {
  let watchers = 0;
  const heartbeatMs = () => Math.min(heartbeats.atLeastMs, (watchers * 1000) / heartbeats.perSecond);
  return {
    async watchJob(input: WatchInput): Promise<JobObservation> {
      const watch = deps.poller.watch(input.jobId, input.attempt.name);
      const tail = new MetricsTail(join(input.attempt.directory, attemptFiles.metrics));
      const signal = Context.current().cancellationSignal;
      const stall = new StallClock();
      const lasting = new LastingReason();
      const look = (job: SlurmJob) => describe(job, lasting.look(job.reason, Date.now()), input.known.stuck);
      const bell = new OutcomeBell(input.attempt.directory);
      const health = healthWatchOf(input);
      let outcomeSince: number | undefined;
      let begun = false;
      let beatAt = 0;
      let shownAt = Date.now();
      watchers += 1;
      try {
        for (;;) {
          const polled = watch.state();
          const names = await namesIn(input.attempt.directory);
          if (names.has(attemptFiles.metrics)) await tail.read();
          // A first row means that it runs. Slurm is asked now, since a waiting job is looked at rarely.
          if (!begun && tail.pace.rows > 0) watch.hurry();
          begun ||= tail.pace.rows > 0;
          if (Date.now() - beatAt >= heartbeatMs()) {
            Context.current().heartbeat(progress(input, polled, tail));
            beatAt = Date.now();
          }
          const outcome = names.has(attemptFiles.outcome) ? await findOutcome(input.attempt.directory, 0) : absent;
          const done = saysDone(outcome, input.attempt.name);
          if (outcome.kind !== 'absent' && !done) {
            outcomeSince ??= Date.now();
            watch.hurry();
          }
          const settled = done || (outcomeSince !== undefined && Date.now() - outcomeSince >= settleMs);
          const seen = observe(polled, outcomeSince, settled, look);
          if (seen?.stuck === input.known.stuck) shownAt = Date.now();
          if (seen !== undefined && isNews(seen, input.known, Date.now() - shownAt)) return seen;
          const running = seen?.state === 'RUNNING' && outcomeSince === undefined;
          const unwell = running ? await health?.look(Date.now()) : undefined;
          if (seen !== undefined && unwell !== undefined) return { ...seen, unwell };
          const stalled = judgeSilence(stall.look(running && tail.isReadable, tail.pace.rows), tail.pace, input.watch);
          if (seen !== undefined && stalled !== undefined) return { ...seen, stalled };
          await bell.wait(deps.job.fileIntervalMs);
          // Pause, reset, shutdown and cancel all arrive here. The reason is the CancelledFailure that the SDK expects.
          signal.throwIfAborted();
        }
      } finally {
        watchers -= 1;
        bell.close();
        watch.close();
      }
    },
  };
}

/** Only where something follows: what people are told alone, `workers/health-look.ts` sees. */
function healthWatchOf({ stage, attempt, watch, known }: WatchInput): HealthWatch | undefined {
  if (jobKind(stage) !== 'grpo' || (watch.health !== 'ask' && watch.health !== 'stop')) return undefined;
  return new HealthWatch(attempt, known.unwell ?? []);
}

/** Has it changed from what the workflow knows? `otherForMs`: for how long what is shown has not been seen any more. */
function isNews({ over, state, stuck }: JobObservation, known: WatchInput['known'], otherForMs: number): boolean {
  if (over || state !== known.state) return true;
  if (stuck === known.stuck) return false;
  const isNew = stuck !== undefined && !known.told.includes(stuck) && known.told.length < steady.sentences;
  return isNew || otherForMs >= steady.ms;
}

/** What the workflow should know, or undefined while nothing is known. */
function observe(
  polled: PolledState,
  outcomeSince: number | undefined,
  settled: boolean,
  look: typeof describe,
): JobObservation | undefined {
  switch (polled.kind) {
    case 'known': {
      // One id is one attempt: a job that Slurm puts back into its queue would only meet its own claim.
      const over = isTerminal(polled.job) || settled || polled.job.restartCount > 0;
      return { ...look(polled.job), over };
    }
    case 'absent': {
      const gone = polled.gone || Date.now() - polled.healthySince >= absentMs;
      const over = settled || outcomeSince !== undefined || gone;
      return over ? { state: 'VANISHED', reason: '', node: '', over } : undefined;
    }
    case 'unknown':
      return settled ? { state: 'UNKNOWN', reason: '', node: '', over: true } : undefined;
  }
}

/** `reasonMs` and `shown` as in `judgePendingReason`. */
function describe(job: SlurmJob, reasonMs = 0, shown?: string): Omit<JobObservation, 'over'> {
  const reason = job.state === 'PENDING' ? job.reason : '';
  const judged = reason === '' ? undefined : judgePendingReason(reason, reasonMs, shown);
  const stuck = judged?.kind === 'stuck' ? { stuck: judged.sentence } : {};
  return { state: job.state, reason, node: job.nodes.join(','), ...stuck };
}

/** Why it is pending: a sentence if somebody must act, else Slurm's reason. */
function pendingNote(job: SlurmJob): string | undefined {
  const { stuck, reason } = describe(job);
  return stuck ?? (reason === '' ? undefined : reason);
}

/** Heartbeat details, for the operator. */
function progress(input: WatchInput, polled: PolledState, tail: MetricsTail): StageProgress {
  const { newest } = tail;
  const unit = countsRows(input.stage) ? 'rows' : 'steps';
  const total = (unit === 'steps' ? newest?.total_steps : undefined) ?? input.totalSteps ?? undefined;
  const done = unit === 'rows' ? newest?.rows : newest?.step;
  const eta = tail.etaSeconds(newest?.total_steps ?? input.totalSteps ?? undefined);
  const note = polled.kind === 'unknown' ? polled.why : polled.kind === 'known' ? pendingNote(polled.job) : undefined;
  return {
    state: polled.kind === 'known' ? polled.job.state : polled.kind.toUpperCase(),
    jobId: input.jobId,
    unit,
    ...(polled.kind === 'known' && polled.job.nodes.length > 0 ? { node: polled.job.nodes.join(',') } : {}),
    ...(note === undefined ? {} : { note }),
    ...(typeof done === 'number' ? { done } : {}),
    ...(total === undefined ? {} : { total }),
    ...(typeof newest?.loss === 'number' ? { loss: newest.loss } : {}),
    ...(tail.reward === undefined ? {} : { reward: tail.reward }),
    ...(tail.responseLength === undefined ? {} : { responseLength: tail.responseLength }),
    ...(eta === undefined ? {} : { etaSeconds: eta }),
  };
}
