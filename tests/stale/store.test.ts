import { existsSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ArtifactStore, artifactKey } from '../../activities/store/artifact-store.ts';
import { RowLog } from '../../activities/store/row-log.ts';
import { viewed } from './view.ts';

const ingredients = { dataset: 'abc' };
const key = artifactKey('mix', ingredients);

async function publish(store: ArtifactStore, content: string) {
  const from = join(await store.partial('mix', key), `try-${content}`);
  await mkdir(from);
  await writeFile(join(from, 'train.json'), content);
  return store.publish({ stage: 'mix', key, ingredients, from, counts: {}, cost: {}, run: 'r', attempts: [] });
}

describe('the store, seen late by another machine', () => {
  it('has an artifact that was looked for a moment before it was published', async () => {
    const { real, view } = viewed(60, 'view');
    const seen = new ArtifactStore(view);
    expect((await seen.find('mix', ingredients)).artifact).toBeUndefined();
    expect(await seen.peek('mix', key)).toBeUndefined();
    expect(await seen.keys('mix')).toEqual([]);
    await publish(new ArtifactStore(real), 'one');
    expect((await seen.find('mix', ingredients)).artifact?.key).toBe(key);
    expect(await seen.keys('mix')).toEqual([key]);
  });

  it('has it also where something else asked for it by name: it is waited for, not made again', async () => {
    const { real, view } = viewed(10, 'view');
    expect(existsSync(join(view, 'artifacts/mix', key, 'manifest.json'))).toBe(false);
    await publish(new ArtifactStore(real), 'one');
    expect((await new ArtifactStore(view).find('mix', ingredients)).artifact?.key).toBe(key);
  });

  it('keeps the first of two publishers on two machines', async () => {
    const { a, b } = viewed(60, 'a', 'b');
    const other = new ArtifactStore(b);
    expect((await other.find('mix', ingredients)).artifact).toBeUndefined();
    await publish(new ArtifactStore(a), 'one');
    expect((await publish(other, 'two')).key).toBe(key);
    const found = await other.find('mix', ingredients);
    expect(await stat(join(found.path, 'train.json'))).toMatchObject({ size: 3 });
    expect(found.artifact?.key).toBe(key);
  });

  it('gives the next holder every row of a log, though it had looked at the log when it was shorter', async () => {
    const { a, b } = viewed(60, 'a', 'b');
    const schema = z.object({ answer: z.string() });
    const { log } = await RowLog.open(join(a, 'log.jsonl'), schema);
    await log.append({ answer: 'one' });
    expect(await RowLog.read(join(b, 'log.jsonl'), schema)).toHaveLength(1);
    expect((await stat(join(b, 'log.jsonl'))).size).toBeLessThan(30);
    await log.append({ answer: 'a longer one' });
    await log.close();
    const taken = await RowLog.open(join(b, 'log.jsonl'), schema);
    expect(taken).toMatchObject({ rows: [{ answer: 'one' }, { answer: 'a longer one' }], tornBytes: 0 });
    await taken.log.close();
  });
});
