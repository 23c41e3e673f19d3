/**
 * Batch collecting: the results of a batch that is over become outcomes in `answers.jsonl`. They are read line by line from its output
 * and error file. What was done is taken, whatever the batch's status is. The rest may be asked again.
 *
 * kill -9 at any point: it is read again from the start. An outcome that is known for this request and this batch is not recorded or
 * charged again. The files at the server are deleted after `collected` is on disk. A kill in between, or a server that refuses, leaves
 * them there.
 */
import { type ApplicationFailure, log as activityLog } from '@temporalio/activity';
import * as z from 'zod';
import type { Batch } from '../../teacher/batch-client.ts';
import type { BatchDeps } from './deps.ts';
import type { Shard, ShardRequest } from './log.ts';
import { recordOutcome } from '../asking.ts';
import { readCompletion, type TeacherAnswer } from '../../teacher/answer.ts';
import { judgeStatus, quotaCodes } from '../../teacher/client.ts';
import { isFailure } from '../../failure.ts';
import { parseJson } from '../../../files/json.ts';

/** Outcomes that share one write to the log. */
const groupSize = 64;

const said = { code: z.string().nullish(), message: z.string().nullish() };
/** A line of an output or error file. OpenAI calls expired requests `batch_expired`; they have no response. */
const resultSchema = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.int(), body: z.unknown() }).nullish(),
  error: z.object(said).nullish(),
});
const errorBodySchema = z.object({ error: z.object(said) });
type Result = z.output<typeof resultSchema>;

export interface Collected {
  /** Requests with an answer, good or not, in this collection. */
  answered: ShardRequest[];
  failed: ShardRequest[];
  /** What stops the stage: a line that no retry mends. */
  stop: ApplicationFailure | undefined;
}

/** Records every outcome of the batch that is not known yet, then that it is collected. */
export async function collectShard(deps: BatchDeps, shard: Shard, batch: Batch): Promise<Collected> {
  const collected: Collected = { answered: [], failed: [], stop: undefined };
  const left = new Map(
    shard.requests
      .filter(({ request }) => !deps.log.has(batch.id, request))
      .map((request) => [request.request, request] as const),
  );
  for (const file of [batch.output_file_id, batch.error_file_id]) {
    if (typeof file === 'string') await collectFile(deps, batch, file, left, collected);
  }
  // A completed batch may have been charged for what it does not show. An expired or cancelled one stopped before that.
  const maybePaid = batch.status === 'completed';
  const detail = `batch ${batch.id} is ${batch.status} and has no result for it`;
  await recordAll(
    deps,
    batch,
    [...left.values()].map((request) => ({ request, answer: noResult(detail, maybePaid) })),
    collected,
  );
  await deps.batches.record({ event: 'collected', shard: shard.name, status: batch.status });
  await deleteFiles(deps, batch);
  return collected;
}

interface Outcome {
  request: ShardRequest;
  answer: TeacherAnswer;
}

async function collectFile(
  deps: BatchDeps,
  batch: Batch,
  file: string,
  left: Map<string, ShardRequest>,
  collected: Collected,
): Promise<void> {
  let group: Outcome[] = [];
  for await (const line of deps.client.lines(file, deps.signal)) {
    const result = resultSchema.safeParse(parseJson(line)).data;
    if (result === undefined)
      activityLog.warn('a result cannot be read', { batch: batch.id, line: line.slice(0, 200) });
    const request = result && left.get(result.custom_id);
    if (result === undefined || request === undefined) continue;
    left.delete(result.custom_id);
    group.push({ request, answer: judge(deps, result, collected) });
    if (group.length < groupSize) continue;
    await recordAll(deps, batch, group, collected);
    group = [];
  }
  await recordAll(deps, batch, group, collected);
}

async function recordAll(
  deps: BatchDeps,
  batch: Batch,
  outcomes: readonly Outcome[],
  collected: Collected,
): Promise<void> {
  const { model } = deps.settings;
  await deps.lease.check();
  await Promise.all(
    outcomes.map(async ({ request, answer }) => {
      const base = { id: request.id, try: request.try, request: request.request, batch: batch.id };
      await recordOutcome(deps, { base, usd: request.usd, question: { model } }, answer);
      const isAnswer = answer.kind === 'critique' || answer.kind === 'unusable';
      (isAnswer ? collected.answered : collected.failed).push(request);
    }),
  );
}

/** All lines are taken first. Only then the first one that no retry mends may stop the stage. */
function judge(deps: BatchDeps, result: Result, collected: Collected): TeacherAnswer {
  try {
    return judgeResult(deps, result);
  } catch (error) {
    if (!isFailure(error)) throw error;
    collected.stop ??= error;
    return noResult(error.message, false);
  }
}

function judgeResult({ client }: BatchDeps, { response, error }: Result): TeacherAnswer {
  if (response?.status_code === 200) return readCompletion(JSON.stringify(response.body ?? null), {});
  const spoken = errorBodySchema.safeParse(response?.body).data?.error ?? error;
  const code = spoken?.code ?? '';
  const text = client.quotable(`${code} ${spoken?.message ?? ''}`.trim());
  const status = response?.status_code ?? (quotaCodes.has(code) ? 429 : undefined);
  if (status === undefined) return noResult(text, false);
  return judgeStatus({ status, code, said: `${status} ${text}`, headers: new Headers() });
}

/** Deletes the files at the server, if it can: the worker's log names those that stay. */
export async function deleteFiles(deps: BatchDeps, batch: Batch): Promise<void> {
  for (const id of [batch.input_file_id, batch.output_file_id, batch.error_file_id]) {
    if (typeof id !== 'string') continue;
    try {
      const reply = await deps.client.deleteFile(id, deps.signal);
      if (reply.kind === 'unavailable') activityLog.warn('a file stays at the server', { id, detail: reply.detail });
    } catch (error) {
      if (!isFailure(error)) throw error;
      activityLog.warn('a file stays at the server', { id, detail: error.message });
    }
  }
}

function noResult(detail: string, maybePaid: boolean): TeacherAnswer {
  return { kind: 'unavailable', detail, maybePaid, retryAfterMs: undefined, news: {} };
}
