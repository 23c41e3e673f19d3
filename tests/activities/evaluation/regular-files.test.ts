/** Files of an artifact that somebody has replaced: what is no regular file is refused at once, and nothing waits for a writer. */
import { execFileSync } from 'node:child_process';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readEvaluation, readJudgedItems } from '../../../activities/evaluation/evaluation-file.ts';
import { readPredictions } from '../../../activities/evaluation/predictions.ts';
import { translated } from '../../../activities/failure.ts';
import type { ArtifactRef } from '../../../domain/manifest.ts';
import { rejection } from '../fixtures.ts';
import { makeStore, publishArtifact } from './evaluation-fixtures.ts';

const readers: [string, (artifact: ArtifactRef) => Promise<unknown>][] = [
  ['predictions.jsonl', (artifact) => readPredictions(artifact, [])],
  ['metrics.json', ({ path }) => readEvaluation(path)],
  ['items.jsonl', ({ path }) => readJudgedItems(path, 'grpo')],
];

let artifact: ArtifactRef;
beforeEach(async () => {
  const files = Object.fromEntries(readers.map(([name]) => [name, '{}\n']));
  artifact = await publishArtifact(await makeStore(), 'evaluation', { files });
});

describe.each(readers)('%s', (name, read) => {
  const refused = async () =>
    rejection(translated('evaluate', new AbortController().signal, async () => read(artifact)));

  it('that is a named pipe is refused at once', async () => {
    const path = join(artifact.path, name);
    await rm(path);
    execFileSync('mkfifo', [path]);
    expect(await refused()).toMatchObject({
      type: 'Refused',
      nonRetryable: true,
      message: expect.stringContaining('got a named pipe'),
    });
  });
});

it.each([
  ['predictions.jsonl', 512],
  ['metrics.json', 16],
])('%s has a limit, %i MiB: what is larger is not read', async (name, mebibytes) => {
  await truncate(join(artifact.path, name), mebibytes * 1024 * 1024 + 1);
  const read = readers.find(([one]) => one === name)?.[1] ?? readPredictions;
  const error = await rejection(translated('evaluate', new AbortController().signal, async () => read(artifact, [])));
  expect(error).toMatchObject({ type: 'Refused', message: expect.stringContaining('at most') });
});
