/**
 * DELETE of a job, and finding out what it did. Its 200 means nothing: 24.11 answers so to an unknown id and to another user's
 * job. v0.0.42+ tells in `status`, v0.0.40/41 do not tell, v0.0.38 answers honestly except for finished jobs.
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

export interface KillSurroundings {
  session: Session;
  controllerIsUp: () => Promise<boolean>;
}

/** Sends it once. Throws SlurmError if the answer says nothing about the job. */
export async function killJob(around: KillSurroundings, { id, what, query }: Kill): Promise<CancelResult> {
  const { session } = around;
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
  if (!isGood(answer)) return refusal(around, call, answer);
  const { warnings } = answer;
  const code = hasKillStatus ? killCode(call, answer) : undefined;
  if (code === undefined) return { outcome: 'accepted', number: undefined, message: '', warnings };
  return { outcome: outcomeOf(code.number), number: code.number, message: code.message, warnings };
}

/** A refusal is a result; anything that says nothing about the job throws. */
async function refusal(around: KillSurroundings, call: Call, answer: Answer): Promise<CancelResult> {
  const error = failure(rawRequest(call, '', undefined), answer.raw, answer);
  around.session.noticeAuth(error);
  if (error.kind !== 'refused' && error.kind !== 'unknown-job') throw error;
  // 24.11 answers "Operation not permitted" (1) when the controller is down: only a live controller can refuse.
  if (error.number === 1 && !(await around.controllerIsUp())) {
    throw new SlurmError(`${call.what}: no controller answers (it was called error 1, "Operation not permitted")`, {
      kind: 'unavailable',
      delivery: 'not-delivered',
      number: 1,
      httpStatus: answer.status,
    });
  }
  const { number, message } = error;
  return { outcome: outcomeOf(number), number, message, warnings: answer.warnings };
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
