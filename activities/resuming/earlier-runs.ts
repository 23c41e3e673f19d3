/**
 * Earlier runs: what a run that resumes another one takes over. First the jobs of the earlier runs end, with a checkpoint where that is possible, so
 * that nothing works on an artifact that this run makes. Then each stage asks what was left of it: attempts at the same key, and the newest complete
 * checkpoint among them. A run that was itself resumed passes on what it found: the whole chain is looked through.
 *
 * Side effects: jobs are ended and attempts are closed, as ending.ts says. kill -9 at any point: the next try does it again, and finds less to do.
 * Of the earlier runs' folders only claims are made; nothing there is changed or removed.
 */
import type { EarlierAttempts } from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { attemptFiles, attemptName, isJobStage, type JobStage, parseAttemptName, paths } from '../../domain/names.ts';
import { isTerminal } from 'slurm-rest-client';
import { namesIn, viewAgeMs } from '../../files/fresh-look.ts';
import { passing, toFailure } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { findAttemptKey } from '../jobs/attempt-key.ts';
import { keptProgress, leftBehind, lookUpJob, runSeconds } from '../jobs/collecting.ts';
import type { JobDeps } from '../jobs/deps.ts';
import { endJob } from '../jobs/ending.ts';
import { submittedJobId } from '../jobs/submission.ts';
import { runStatus } from '../run-status.ts';
import type { StoreDeps } from '../store/deps.ts';
import { readPlan } from './run-plans.ts';

type Deps = Pick<JobDeps, 'store' | 'slurm' | 'accounting' | 'job'>;

export function createEarlierRunActivities(deps: Deps) {
  return {
    /**
     * Ends all jobs of the run that is resumed, and of those that it resumed. Returns the names of those that were there. Throws
     * `EarlierRunOpen`, to be tried again, while one of the runs goes on.
     */
    endEarlierJobs: (input: { resumes: string; seconds: number }): Promise<{ ended: string[] }> =>
      heartbeating('ending jobs of earlier runs', () => endAll(deps, input)),

    /** What the earlier runs have left of the order's artifact. */
    findEarlierAttempts: (input: { resumes: string; order: JobOrder }): Promise<EarlierAttempts> =>
      heartbeating('looking for checkpoints', () => findAll(deps, input)),
  };
}

async function endAll(
  deps: Deps,
  { resumes, seconds }: { resumes: string; seconds: number },
): Promise<{ ended: string[] }> {
  const runs = await chainOf(deps, resumes);
  for (const run of runs) {
    if ((await runStatus(run)) !== 'open') continue;
    throw passing('EarlierRunOpen', `run "${run}" goes on, so nothing can be taken over from it yet`);
  }
  const names = new Set([...(await aliveJobs(deps, runs)), ...(await unclaimed(deps, runs))]);
  const ended = await Promise.all(
    [...names].map(async (name) => ({ name, ...(await endJob(deps, { name, seconds })) })),
  );
  return { ended: ended.filter(({ jobId }) => jobId !== null).map(({ name }) => name) };
}

/** The run and those that it resumed, newest first. */
export async function chainOf({ store }: StoreDeps, resumes: string): Promise<string[]> {
  const chain = new Set<string>();
  for (let run: string | undefined = resumes; run !== undefined && !chain.has(run);) {
    chain.add(run);
    run = (await readPlan(store.root, run))?.resumes;
  }
  return [...chain];
}

async function aliveJobs({ slurm, job }: Deps, runs: readonly string[]): Promise<string[]> {
  const jobs = await slurm.listJobs().catch((error: unknown) => {
    throw toFailure(error, 'list jobs of earlier runs');
  });
  return jobs
    .filter((one) => !isTerminal(one) && one.userName === job.userName)
    .map(({ name }) => name)
    .filter((name) => runs.includes(parseAttemptName(name)?.run ?? ''));
}

/** Attempts that no job has begun: one of them may yet be created, by a submission whose answer never came. */
async function unclaimed({ store }: Deps, runs: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const run of runs) {
    for (const stage of [...(await namesIn(`${paths.run(store.root, run)}/jobs`))].filter(isJobStage)) {
      for (const { name, directory } of await attemptsOf(store.root, run, stage)) {
        if (!(await namesIn(directory)).has(attemptFiles.claim)) found.push(name);
      }
    }
  }
  return found;
}

/** Folders of a run's attempts at a stage, oldest first. */
export async function attemptsOf(
  root: string,
  run: string,
  stage: JobStage,
): Promise<{ name: string; directory: string }[]> {
  const names = await namesIn(`${paths.run(root, run)}/jobs/${stage}`);
  const numbers = [...names].flatMap((name) => (/^a[1-9]\d*$/.test(name) ? [Number(name.slice(1))] : []));
  return numbers
    .toSorted((a, b) => a - b)
    .map((number) => ({ name: attemptName(run, stage, number), directory: paths.attempt(root, run, stage, number) }));
}

async function findAll(deps: Deps, { resumes, order }: { resumes: string; order: JobOrder }): Promise<EarlierAttempts> {
  const runs = (await chainOf(deps, resumes)).toReversed();
  const found: EarlierAttempts = { attempts: [], checkpoint: null, progress: 0, gpuHours: 0, changes: null };
  for (const run of runs) {
    const attempts = await attemptsOf(deps.store.root, run, order.stage);
    for (const attempt of attempts) {
      const key = await findAttemptKey(attempt.directory);
      if (key.kind !== 'read' || key.value.key !== order.key) continue;
      const { checkpoint, progress, seconds } = await leftBy(deps, order, attempt, attempt === attempts.at(-1));
      const { nodes, gpus_per_node: gpus } = order.resources;
      found.attempts.push(attempt.name);
      found.gpuHours += (seconds / 3600) * nodes * gpus;
      found.changes = key.value.changes;
      // A newer attempt went on from the checkpoint of an older one, or began anew because that was no good.
      if (checkpoint !== null) Object.assign(found, { checkpoint, progress });
    }
  }
  return found;
}

/**
 * What an attempt has left. The newest one's job may have ended a moment ago on another host: what is due and not seen yet is waited for. What Slurm
 * forgot of a job that left no outcome counts no time.
 */
async function leftBy(
  deps: Deps,
  order: JobOrder,
  { name, directory }: { name: string; directory: string },
  isNewest: boolean,
): Promise<{ checkpoint: string | null; progress: number; seconds: number }> {
  const left = await leftBehind(order, directory, name, isNewest ? await viewAgeMs(directory) : 0);
  const outcome = left.outcome.kind === 'read' ? left.outcome.value : undefined;
  const jobId = outcome === undefined ? await submittedJobId(directory) : undefined;
  const { job } = jobId === undefined ? { job: undefined } : await lookUpJob(deps, jobId, name);
  return {
    checkpoint: left.checkpoint,
    // As of an attempt that has not ended well: up to its checkpoint.
    progress: keptProgress(order, { ...left, outcome: { kind: 'absent' } }) ?? 0,
    seconds: runSeconds(job, outcome),
  };
}
