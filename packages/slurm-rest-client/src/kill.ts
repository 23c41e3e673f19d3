/**
 * DELETE of a job, and what it did. Its 200 means nothing: 24.11 also answers 200 to an unknown id and to another user's job.
 * v0.0.42+ tells in `status`. v0.0.40/41 do not tell. v0.0.38 answers honestly except for finished jobs.
 */
import * as z from 'zod';
import { failure, isGood, type Answer } from './answer.ts';
import { parse, rawRequest, type Call } from './call.ts';
import { SlurmError } from './errors.ts';
import type { Session } from './session.ts';
import type { CancelResult } from './types.ts';
import { killStatus } from './wire.ts';

export interface Kill {
  id: string;
  what: string;
  query: Record<string, string>;
}

/** Sends it once. Throws SlurmError if the answer says nothing about the job: `delivery` says whether it may yet be carried out. */
export async function killJob(session: Session, { id, what, query }: Kill): Promise<CancelResult> {
  const { hasKillStatus } = await session.adapter();
  const call: Call = {
    method: 'DELETE',
    daemon: 'slurm',
    path: `job/${id}`,
    query: Object.entries(query),
    what,
    write: true,
  };
  const answer = await session.ask(call);
  if (!isGood(answer)) return refusal(session, call, answer);
  const { warnings } = answer;
  const code = hasKillStatus ? killCode(call, answer) : undefined;
  if (code === undefined) return { outcome: 'accepted', number: undefined, message: '', warnings };
  return { outcome: outcomeOf(code.number), number: code.number, message: code.message, warnings };
}

/** A refusal is a result. An answer that says nothing about the job throws. */
function refusal(session: Session, call: Call, answer: Answer): CancelResult {
  const error = failure(rawRequest(call, '', undefined), answer.raw, answer);
  session.noticeAuth(error);
  // What 24.11 and 26.05 answer when slurmctld is frozen (and carries it out later) or dead; its own refusals have other numbers.
  if (error.number === 1) throw undecided(call, answer);
  if (error.kind !== 'refused' && error.kind !== 'unknown-job') throw error;
  const { number, message } = error;
  return { outcome: outcomeOf(number), number, message, warnings: answer.warnings };
}

function undecided(call: Call, answer: Answer): SlurmError {
  return new SlurmError(
    `${call.what}: no controller answered, and whether it will be carried out is not known (it was called error 1, "Operation not permitted")`,
    { kind: 'ambiguous', delivery: 'unknown', number: 1, httpStatus: answer.status },
  );
}

/** Undefined if at least one row (of an array's tasks) was carried out, or if there is none. */
function killCode(call: Call, answer: Answer): { number: number; message: string } | undefined {
  const rows = parse(call, answer, () => z.array(killStatus).parse(answer.body['status'] ?? []));
  const failures = rows.filter((row) => (row.error?.code ?? 0) !== 0);
  const [first] = failures;
  if (first === undefined || failures.length < rows.length) return undefined;
  return { number: first.error?.code ?? 0, message: first.error?.message || first.error?.string || '' };
}

/** 2021 ESLURM_ALREADY_DONE, 2017 ESLURM_INVALID_JOB_ID. */
function outcomeOf(number: number | undefined): CancelResult['outcome'] {
  if (number === 2021) return 'already-done';
  return number === 2017 ? 'unknown-job' : 'refused';
}
