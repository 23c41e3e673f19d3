/**
 * Finding a job of our own user by its attempt's name, which is its key: in slurmctld, then in slurmdbd if there is one. If two jobs have one
 * name, the later one is cancelled: two jobs of one attempt must never both run. That is the only side effect, and it may be repeated:
 * after a kill -9 the next look does it again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context, log } from '@temporalio/activity';
import { isTerminal, SlurmError, type SlurmJob } from 'slurm-rest-client';
import type { JobDeps } from './deps.ts';

/** A healthy controller must deny a name for this long before it counts: MessageTimeout (10 s) six times over. */
export const denialMs = 60_000;
const lookIntervalMs = 2_000;

/**
 * Looks for a name until it is found or a healthy controller has denied it for `patienceMs` in all. Only the time between two denials in a
 * row counts, since an outage proves nothing. A network that loses one look in twenty does not hold it up for ever.
 */
export async function findForCertain(
  deps: Pick<JobDeps, 'slurm' | 'accounting' | 'job'>,
  name: string,
  patienceMs = denialMs,
): Promise<string | undefined> {
  const signal = Context.current().cancellationSignal;
  let deniedMs = 0;
  let lastDenial: number | undefined;
  let trouble = '';
  for (;;) {
    Context.current().heartbeat({ state: 'looking', note: `looking for job "${name}" by its name${trouble}` });
    try {
      const jobId = await findByName(deps, name);
      if (jobId !== undefined) return jobId;
      const now = performance.now();
      deniedMs += lastDenial === undefined ? 0 : now - lastDenial;
      lastDenial = now;
      trouble = '';
      if (deniedMs >= patienceMs) return undefined;
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      lastDenial = undefined;
      trouble = `; no answer that counts: ${error.message}`;
    }
    await sleep(lookIntervalMs);
    signal.throwIfAborted();
  }
}

/**
 * Lowest job id under this name in slurmctld and slurmdb, of our own user. Extra ones are cancelled: two jobs of one
 * attempt must never both run. Without a slurmdbd only slurmctld counts. If the job has come and gone unseen, its claim is there, and a
 * second job of the attempt ends at once.
 */
export async function findByName(
  { slurm, accounting, job: { userName } }: Pick<JobDeps, 'slurm' | 'accounting' | 'job'>,
  name: string,
): Promise<string | undefined> {
  const isOurs = ownJob(name, userName);
  const current = (await slurm.listJobs()).filter(isOurs);
  const past = current.length > 0 ? [] : (await pastJobs(accounting, name)).filter(isOurs);
  const ids = [...new Set([...current, ...past].filter(wasAccepted).map((job) => job.id))].toSorted(
    (a, b) => Number(a) - Number(b),
  );
  const [first, ...extra] = ids;
  for (const id of extra) {
    log.error('two jobs stand under one name, cancelling the later one', { name, id });
    await slurm.cancel(id);
  }
  return first;
}

async function pastJobs(accounting: JobDeps['accounting'], name: string): Promise<SlurmJob[]> {
  const records = await accounting.byName(name);
  return records.kind === 'answered' ? records.rows : [];
}

/** Jobs of our own user under this name that slurmctld knows and that are not over. */
export async function findAlive(
  { slurm, job: { userName } }: Pick<JobDeps, 'slurm' | 'job'>,
  name: string,
): Promise<SlurmJob[]> {
  const isOurs = ownJob(name, userName);
  return (await slurm.listJobs()).filter((job) => isOurs(job) && !isTerminal(job));
}

/** Is it ours? Anybody may give a job any name. A row that does not say whose it is (slurmdbd) counts as ours. */
function ownJob(name: string, userName: string): (job: SlurmJob) => boolean {
  return (job) => job.name === name && (job.userName ?? userName) === userName;
}

/** A refused submission leaves a FAILED row that never had a node. That is no job and must not be adopted. */
function wasAccepted(job: SlurmJob): boolean {
  return !(job.state === 'FAILED' && job.reason === 'BadConstraints' && job.nodes.length === 0);
}
