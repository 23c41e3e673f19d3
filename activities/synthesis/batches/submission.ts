/**
 * Batch submission: a shard that was intended becomes one batch. Neither of the two POSTs is ever repeated blindly.
 *
 * | killed, or the answer lost | what the next look does |
 * | --- | --- |
 * | before or during the upload | looks for the file by its name. Found: adopted. Not found: the shard is dropped, and its rows are free |
 * | before or during the creation | looks for the batch by its metadata. Found: adopted. Denied for `denyMs`: created |
 * | after `created` is on disk | nothing: it is waited for |
 *
 * A file that nobody knows costs nothing, but a batch does. A batch that appears after `denyMs` of denial would be a second one. It is
 * cancelled if a later look sees it.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { log as activityLog } from '@temporalio/activity';
import type { Reply } from '../../teacher/batch-client.ts';
import { type BatchDeps, untilAnswered, waitAway } from './deps.ts';
import type { Shard } from './log.ts';
import { shardPath } from './shard.ts';
import { isFailure } from '../../failure.ts';

const longestLookMs = 5000;

/** Uploads the file of a shard that was intended a moment ago, and creates its batch. */
export async function submitShard(deps: BatchDeps, shard: Shard): Promise<void> {
  const file = await uploadFile(deps, shard);
  await rm(shardPath(deps.folder, shard.name));
  await createBatch(deps, shard, file);
}

/** Brings a shard of an earlier process so far that it is waited for, or drops it. Without `create` it is never sent anew. */
export async function recoverShard(deps: BatchDeps, shard: Shard, { create }: { create: boolean }): Promise<void> {
  if (shard.batch !== undefined) return;
  let { file } = shard;
  if (file !== undefined) {
    if (await adoptBatch(deps, shard)) return;
  } else if (create) {
    // The batch is created only after `uploaded` is on disk, so there is none.
    file = await findFile(deps, shard);
    if (file !== undefined) await deps.batches.record({ event: 'uploaded', shard: shard.name, file });
  }
  if (file !== undefined && create) await createBatch(deps, shard, file);
  else await drop(deps, shard, 'found neither file nor batch at the server');
}

async function uploadFile(deps: BatchDeps, shard: Shard): Promise<string> {
  const path = shardPath(deps.folder, shard.name);
  for (let failures = 0; ; failures += 1) {
    const reply = await orDrop(deps, shard, () => deps.client.upload(path, filename(shard), deps.signal));
    const file = reply.kind === 'ok' ? reply.value : reply.maybeDone ? await findFile(deps, shard) : undefined;
    if (file !== undefined) {
      await deps.batches.record({ event: 'uploaded', shard: shard.name, file });
      return file;
    }
    if (reply.kind === 'unavailable') await waitAway(deps, failures, reply);
  }
}

async function createBatch(deps: BatchDeps, shard: Shard, file: string): Promise<void> {
  const { completion_window: window } = deps.settings.batch;
  for (let failures = 0; ; failures += 1) {
    await deps.lease.check();
    const reply = await orDrop(deps, shard, () => deps.client.create(file, shard.name, window, deps.signal));
    if (reply.kind === 'ok') {
      await deps.batches.record({ event: 'created', shard: shard.name, batch: reply.value.id });
      return;
    }
    if (reply.maybeDone && (await adoptBatch(deps, shard))) return;
    await waitAway(deps, failures, reply);
  }
}

/** Looks for the shard's batch until it is found or has been denied for long enough. Was it found? */
async function adoptBatch(deps: BatchDeps, shard: Shard): Promise<boolean> {
  let deniedSince: number | undefined;
  for (;;) {
    const [first, ...extras] = await untilAnswered(deps, () =>
      deps.client.findBatches(shard.name, shard.intendedAt, deps.signal),
    );
    if (first !== undefined) {
      await deps.batches.record({ event: 'created', shard: shard.name, batch: first.id });
      for (const { id } of extras) await cancelBatch(deps, id);
      return true;
    }
    deniedSince ??= performance.now();
    const left = deniedSince + deps.denyMs - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(left, longestLookMs), undefined, { signal: deps.signal });
  }
}

/** Asks for the end of a batch. A batch that is over already is no failure: its status decides. */
export async function cancelBatch(deps: BatchDeps, id: string): Promise<void> {
  try {
    const reply = await deps.client.cancel(id, deps.signal);
    if (reply.kind === 'unavailable') activityLog.warn('a batch was not cancelled', { id, detail: reply.detail });
  } catch (error) {
    if (!isFailure(error)) throw error;
    activityLog.warn('a batch was not cancelled', { id, detail: error.message });
  }
}

function findFile(deps: BatchDeps, shard: Shard): Promise<string | undefined> {
  return untilAnswered(deps, () => deps.client.findFile(filename(shard), shard.intendedAt, deps.signal));
}

/** What the server refused did not happen, so the shard's rows are free again before the refusal is thrown on. */
async function orDrop<T>(deps: BatchDeps, shard: Shard, post: () => Promise<Reply<T>>): Promise<Reply<T>> {
  try {
    return await post();
  } catch (error) {
    if (isFailure(error)) await drop(deps, shard, error.message);
    throw error;
  }
}

async function drop(deps: BatchDeps, shard: Shard, why: string): Promise<void> {
  await deps.batches.record({ event: 'dropped', shard: shard.name, why });
}

function filename({ name }: Shard): string {
  return `${name}.jsonl`;
}
