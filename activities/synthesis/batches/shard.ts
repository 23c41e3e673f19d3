/**
 * Shard: the file of one batch, one request a line. It is written one line at a time, so only one row's pictures are in memory. kill -9
 * leaves a file that no intent names, and the next process removes it.
 */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pair } from '../../../domain/manifest.ts';
import { batchEndpoint } from '../../teacher/batch-client.ts';
import type { BatchDeps } from './deps.ts';
import type { ShardRequest } from './log.ts';
import { completionBody } from '../../teacher/completion-body.ts';
import { dataUrl } from '../../dataset/image.ts';
import { prepareQuestion, readPictures } from '../question.ts';

/** What one more shard may take. */
export interface ShardRoom {
  usd: number;
  /** Of the prompts. */
  tokens: number;
  requests: number;
  bytes: number;
  /** The queue is empty: the first request may exceed `tokens`, since it would never fit otherwise. */
  alone: boolean;
}

export function shardPath(folder: string, name: string): string {
  return join(folder, `${name}.jsonl`);
}

/** Writes the next request of as many rows as fit, in order. None if the first one does not fit. */
export async function writeShard(
  deps: BatchDeps,
  name: string,
  rows: readonly Pair[],
  room: ShardRoom,
): Promise<ShardRequest[]> {
  const requests: ShardRequest[] = [];
  let { usd, tokens, bytes } = room;
  const file = await open(shardPath(deps.folder, name), 'wx', 0o640);
  try {
    for (const pair of rows.slice(0, room.requests)) {
      deps.signal.throwIfAborted();
      const { base, question, pictures, ...expected } = prepareQuestion(
        deps,
        pair,
        deps.log.answers(pair.id).length + 1,
      );
      const prompt = expected.tokens - question.maxTokens;
      const isFirst = requests.length === 0;
      if (expected.usd > usd || (prompt > tokens && !(isFirst && room.alone))) break;
      const images = await readPictures(deps.datasetPath, pictures);
      const body = completionBody(question, images.map(dataUrl));
      const line = Buffer.from(JSON.stringify({ custom_id: base.request, method: 'POST', url: batchEndpoint, body }));
      if (line.length >= bytes && !isFirst) break;
      await file.writeFile(line);
      await file.writeFile('\n');
      requests.push({ ...base, usd: expected.usd, tokens: prompt });
      usd -= expected.usd;
      tokens -= prompt;
      bytes -= line.length + 1;
    }
  } finally {
    await file.close();
  }
  return requests;
}

/** Makes the folder and empties it: what is in it was never uploaded, or is at the server. */
export async function clearShards(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) await rm(join(folder, name));
}
