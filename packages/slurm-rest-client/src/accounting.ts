/** Asking slurmdbd. It has nothing to say for three reasons, which are told apart here: no such job, no database, a token that it does not accept. */
import { failure, isGood, type Answer } from './answer.ts';
import { get, parse, rawRequest, readList, type Call } from './call.ts';
import { SlurmError } from './errors.ts';
import type { Session } from './session.ts';
import type { SlurmJob } from './types.ts';

/** Rows of slurmdbd, oldest first. An empty list if there are none. */
export async function accountingRows(session: Session, call: Call): Promise<SlurmJob[]> {
  const adapter = await session.adapter();
  const answer = await ask(session, call);
  if (answer === undefined) return [];
  const rows = readList(call, answer, 'jobs').map((row) => parse(call, answer, () => adapter.accountingJob(row)));
  return rows.toSorted((a, b) => order(a) - order(b));
}

/** A list of slurmdbd's that is not about jobs. Empty if nothing matches. */
export async function accountingList<T>(
  session: Session,
  call: Call,
  key: string,
  read: (wire: unknown) => T,
): Promise<T[]> {
  const answer = await ask(session, call);
  if (answer === undefined) return [];
  return readList(call, answer, key).map((row) => parse(call, answer, () => read(row)));
}

/**
 * 26.05 says "Unable to connect to database" (7000) for a dead slurmdbd and for a token that is not accepted. slurmctld, which
 * checks the same token, tells the two apart.
 */
async function ask(session: Session, call: Call): Promise<Answer | undefined> {
  try {
    return await session.call(call).catch(nothingFound);
  } catch (error) {
    if (!(error instanceof SlurmError) || error.number !== 7000 || error.kind !== 'unavailable') throw error;
    const rejected = await rejection(session);
    if (rejected === undefined) throw error;
  }
  // The token was fetched anew.
  try {
    return await session.call(call).catch(nothingFound);
  } catch (error) {
    const still = error instanceof SlurmError && error.number === 7000 ? await rejection(session) : undefined;
    throw still === undefined ? error : notAuthenticated(call, still);
  }
}

/** slurmctld's error about the token; then the token is not used again. Undefined if slurmctld accepts it, or says nothing about it. */
async function rejection(session: Session): Promise<SlurmError | undefined> {
  const { hasJobStates } = await session.adapter();
  if (!hasJobStates) return undefined;
  const call: Call = { ...get('slurm', 'jobs/state/', 'check the token'), query: [['job_id', '1']] };
  try {
    const answer = await session.ask(call);
    if (isGood(answer)) return undefined;
    throw failure(rawRequest(call, '', undefined), answer.raw, answer);
  } catch (error) {
    if (!(error instanceof SlurmError) || error.kind !== 'auth') return undefined;
    session.noticeAuth(error);
    return error;
  }
}

function notAuthenticated(call: Call, { message, httpStatus }: SlurmError): SlurmError {
  return new SlurmError(
    `${call.what}: not authenticated: slurmdbd gives no reason (7000), slurmctld does: ${message}`,
    {
      kind: 'auth',
      delivery: 'not-delivered',
      number: 7000,
      httpStatus,
    },
  );
}

/** 9003: how 22.05's slurmdbd plugin says that no row matches, with HTTP 200. Later versions return an empty list and a warning. */
function nothingFound(error: unknown): undefined {
  if (error instanceof SlurmError && error.number === 9003) return;
  throw error;
}

function order(job: SlurmJob): number {
  return (job.startTime ?? job.submitTime)?.getTime() ?? 0;
}
