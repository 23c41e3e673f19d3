/** What a job may leave instead of the files that are due: nothing of it holds the worker up or is followed. */
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  findOutcome,
  findResult,
  listCheckpoints,
  readLinesFrom,
  tailText,
} from '../../../activities/jobs/attempt-files.ts';
import { MetricsTail, readMetrics } from '../../../activities/jobs/attempt-metrics.ts';
import { temporaryFolder } from '../fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});

const leaves: [string, (path: string) => Promise<unknown>][] = [
  ['a named pipe', async (path) => execFileSync('mkfifo', [path])],
  ['a link to /dev/zero', (path) => symlink('/dev/zero', path)],
  ['a link to a file of somebody else', (path) => symlink('/etc/passwd', path)],
  ['a folder', (path) => mkdir(path)],
];

describe('a job leaves', () => {
  it.each(leaves)('%s for its outcome or its result: that is said, and it is no outcome', async (_what, leave) => {
    await leave(join(folder, 'outcome.json'));
    await leave(join(folder, 'result.json'));
    expect(await findOutcome(folder)).toEqual({ kind: 'unreadable', why: expect.stringContaining('outcome.json') });
    expect(await findResult(folder)).toEqual({ kind: 'unreadable', why: expect.stringContaining('result.json') });
  });

  it.each(leaves)('%s for its metrics, its log or its checkpoints: there are none', async (_what, leave) => {
    for (const name of ['metrics.jsonl', 'job.log', 'checkpoints']) await leave(join(folder, name));
    const tail = new MetricsTail(join(folder, 'metrics.jsonl'));
    await tail.read();
    expect(tail.pace.rows).toBe(0);
    expect(await readMetrics(folder)).toEqual([]);
    expect(await tailText(join(folder, 'job.log'), 2_000)).toBe('');
    expect(await listCheckpoints(folder)).toEqual([]);
  });

  it('metrics that the system does not let anybody read now: no new rows, and no failure', async () => {
    await writeFile(join(folder, 'file'), '');
    const path = join(folder, 'file', 'metrics.jsonl'); // ENOTDIR, as good as EIO of a file server
    await expect(readLinesFrom(path, 0)).rejects.toThrow('ENOTDIR');
    const tail = new MetricsTail(path);
    await tail.read();
    expect(tail.pace.rows).toBe(0);
  });

  it('an outcome of more than a megabyte: that is said, and it is not read', async () => {
    await writeFile(join(folder, 'outcome.json'), ' '.repeat(1024 * 1024 + 1));
    expect(await findOutcome(folder)).toEqual({ kind: 'unreadable', why: expect.stringContaining('at most 1048576') });
  });

  it('a pipe among its checkpoints: only folders count', async () => {
    await mkdir(join(folder, 'checkpoints/checkpoint-2'), { recursive: true });
    await mkdir(join(folder, 'checkpoints/checkpoint-10'));
    execFileSync('mkfifo', [join(folder, 'checkpoints/checkpoint-11')]);
    expect((await listCheckpoints(folder)).map((path) => path.split('-').at(-1))).toEqual(['2', '10']);
  });
});

describe('lines of a growing file', () => {
  it('are read from where the last look ended, a line not ended yet at the next one', async () => {
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, 'é1\ntwo');
    const first = await readLinesFrom(path, 0);
    expect(first).toMatchObject({ lines: ['é1'], offset: 4, again: false });
    await writeFile(path, 'é1\ntwo\n');
    const second = await readLinesFrom(path, first.offset, first.tail);
    expect(second).toMatchObject({ lines: ['two'], offset: 8, again: false });
    const third = await readLinesFrom(path, second.offset, second.tail);
    expect(third).toEqual({ lines: [], offset: 8, tail: second.tail, again: false });
  });

  it.each([
    ['a shorter one', 'x\n'],
    ['a longer one', 'another file altogether\n'],
    ['one with lines of the same lengths', 'two\none\nsix\n'],
    ['an empty one', ''],
  ])('are read from the start where %s stands instead', async (_what, text) => {
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, 'one\ntwo\n');
    const { offset, tail } = await readLinesFrom(path, 0);
    await writeFile(path, text);
    const lines = text.split('\n').filter((line) => line !== '');
    expect(await readLinesFrom(path, offset, tail)).toMatchObject({ lines, offset: text.length, again: true });
  });
});

describe('a tail of metrics', () => {
  const row = (step: number) => `${JSON.stringify({ step, time: step * 2, reward: step % 8, total_steps: 20_000 })}\n`;

  it('says after each look what the newest rows tell, also of another file that stands there instead', async () => {
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, Array.from({ length: 100 }, (_, i) => row(i)).join(''));
    const tail = new MetricsTail(path);
    await tail.read();
    await writeFile(path, row(100), { flag: 'a' });
    await tail.read();
    expect(tail).toMatchObject({ newest: { step: 100 }, pace: { rows: 101, rowSeconds: 2 }, reward: 3.5 });
    expect(tail.etaSeconds(200)).toBe(200);
    await writeFile(path, row(7));
    await tail.read();
    expect(tail).toMatchObject({ newest: { step: 7 }, pace: { rows: 1, rowSeconds: undefined }, reward: 7 });
  });
});
