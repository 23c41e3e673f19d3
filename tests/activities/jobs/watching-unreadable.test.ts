/** Watching a healthy job while the file server lets nobody read its numbers. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import type * as attemptFilesModule from '../../../activities/jobs/attempt-files.ts';
import { HealthWatch } from '../../../activities/jobs/watching/health-watch.ts';
import { cluster, name, row, worker } from './job-worker.ts';
import { lived, useVirtualTime } from './moments.ts';

const broken = vi.hoisted(() => ({ on: false, reads: 0 }));
vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);
vi.mock('../../../activities/jobs/attempt-files.ts', async (original) => {
  const real = await original<typeof attemptFilesModule>();
  const readLinesFrom = async (path: string, offset: number, tail?: Buffer) => {
    if (!broken.on) return real.readLinesFrom(path, offset, tail);
    broken.reads += 1;
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
  };
  return { ...real, readLinesFrom };
});

useVirtualTime();

it('is no silence of the job, and its end is seen', async () => {
  const at = await cluster();
  at.slurm.create(name, at.folder);
  await at.slurm.schedule();
  const path = join(at.folder, 'metrics.jsonl');
  await writeFile(path, Array.from({ length: 9 }, (_, index) => row(index + 1)).join(''));
  let rows = 9;
  const writing = setInterval(() => void appendFile(path, row((rows += 1))), 1000);
  setTimeout(() => (broken.on = true), 60_000);
  setTimeout(() => at.slurm.end('7', 'COMPLETED'), 40 * 60_000);
  const seen = await lived(() => worker(at).watch('7'));
  clearInterval(writing);
  expect(broken.reads).toBeGreaterThan(100);
  expect(seen).toMatchObject({ state: 'COMPLETED', over: true });
  expect(seen).not.toHaveProperty('stalled');
  const attempt = { name, directory: at.folder, attempt: 1 };
  expect(await new HealthWatch(attempt, []).look(0)).toBeUndefined();
});
