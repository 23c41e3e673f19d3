/**
 * Ways back on a real Slurm with the real trainer: a run that was terminated while its job works, one whose last checkpoint is not whole, a chain of
 * resumes, a pause, changes for a job under way; and the worker killed in the middle of each.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { statusView } from '../../cli/commands/status.ts';
import { endOf, reaches, rowsOf, until, writeRecipe } from './ranks-world.ts';
import { critic, sees, store, workerPid } from './stack.ts';

const execute = promisify(execFile);
const sft = (run: string, number: number) => join(store, 'runs', run, 'jobs/sft', `a${number}`);
const checkpointsOf = async (attempt: string) =>
  (await readdir(join(attempt, 'checkpoints')))
    .map((name) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? Number.NaN))
    .toSorted((a, b) => a - b);

/** Starts `critic run` or `resume`, and returns the new run's id. */
async function started(...argv: string[]) {
  const { seen, done } = critic(...argv);
  const [, run = 'none'] = await sees(seen, /^run (smoke-\S+)/m, 60);
  return { run, done };
}

async function recipeOf(epochs: number) {
  const folder = await mkdtemp(join(tmpdir(), 'critic-resuming-'));
  const { recipe, dataset } = await writeRecipe(folder, { epochs, minutes: 10 });
  // What an earlier test run on this store has made must not be reused.
  const seed = String(Date.now() % 1_000_000_000);
  return { argv: ['run', recipe, '--dataset', dataset, '--seed', seed], clear: () => rm(folder, { recursive: true }) };
}

/** kill -9 of the worker, and a new one in its place. */
async function withNewWorker(): Promise<void> {
  process.kill(workerPid(), 'SIGKILL');
  expect(await critic('local', 'up').done).toMatchObject({ code: 0 });
}

async function terminate(run: string): Promise<void> {
  const connection = await Connection.connect({ address: process.env['CRITIC_TEMPORAL_ADDRESS'] ?? '' });
  try {
    await new Client({ connection }).workflow.getHandle(run).terminate('a test');
  } finally {
    await connection.close();
  }
}

/** Names and time limits of our jobs that Slurm has now. */
async function queue(run: string): Promise<Map<string, string>> {
  const { stdout } = await execute('squeue', ['-h', '-a', '-o', '%j %l']);
  const lines = stdout.split('\n').filter((line) => line.includes(run));
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']));
}

async function viewOf(run: string) {
  const { output } = await critic('status', run, '--json').done;
  return statusView.schema.parse(JSON.parse(output)).view;
}

const manifest = z.looseObject({ made_by: z.looseObject({ attempts: z.array(z.string()) }) });

it('a run that was terminated is resumed from the checkpoint of its job, which still ran; and again, from one that is whole', async () => {
  const { argv, clear } = await recipeOf(12);
  const a = await started(...argv);
  await reaches(sft(a.run, 1), 6);
  await terminate(a.run);
  await a.done;
  const b = await started('resume', a.run);
  await withNewWorker();
  await reaches(sft(b.run, 1), 1);
  // The job of A was asked, saved, and was gone before B's first step.
  expect(await endOf(sft(a.run, 1))).toEqual({ exit_code: 85, signal: null });
  const stopped = (await rowsOf(sft(a.run, 1))).at(-1)?.step ?? 0;
  expect((await checkpointsOf(sft(a.run, 1))).at(-1)).toBe(stopped);
  expect((await rowsOf(sft(b.run, 1)))[0]?.step).toBe(stopped + 1);

  await reaches(sft(b.run, 1), stopped + 6);
  expect((await critic('cancel', b.run).done).code).toBe(0);
  expect((await b.done).code).toBe(1);
  // As if its job had died while it wrote the last one.
  const [last = 0, before] = (await checkpointsOf(sft(b.run, 1))).toReversed();
  const folder = join(sft(b.run, 1), 'checkpoints');
  await rename(join(folder, `checkpoint-${last}`), join(sft(b.run, 1), `work/checkpoint-${last}`));
  const c = await started('resume', b.run);
  await reaches(sft(c.run, 1), 1);
  expect((await rowsOf(sft(c.run, 1)))[0]?.step).toBe((before ?? stopped) + 1);

  await until('SFT as an artifact', async () => {
    const line = (await viewOf(c.run))?.stages.find(({ stage }) => stage === 'sft');
    return line?.status === 'done';
  });
  const artifact = (await viewOf(c.run))?.stages.find(({ stage }) => stage === 'sft')?.artifact ?? 'none';
  const made = manifest.parse(JSON.parse(await readFile(join(artifact, 'manifest.json'), 'utf8')));
  expect(made.made_by.attempts).toEqual([a.run, b.run, c.run].map((run) => `critic-${run}-sft-a1`));
  const steps = (await rowsOf(artifact)).map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: steps.at(-1) ?? 0 }, (_, index) => index + 1));
  await critic('cancel', c.run).done;
  await c.done;
  await clear();
}, 900_000);

it('a run that is paused gives its nodes back and goes on from its checkpoints; a job under way gets another time limit', async () => {
  const { argv, clear } = await recipeOf(13);
  const { run, done } = await started(...argv);
  await reaches(sft(run, 1), 5);
  expect((await critic('pause', run, '--note', 'a test').done).code).toBe(0);
  await withNewWorker();
  await until('paused', async () => (await viewOf(run))?.status === 'paused');
  expect(await queue(run)).toEqual(new Map());
  expect(await endOf(sft(run, 1))).toEqual({ exit_code: 85, signal: null });
  const stopped = (await rowsOf(sft(run, 1))).at(-1)?.step ?? 0;
  expect(existsSync(sft(run, 2))).toBe(false);

  expect((await critic('unpause', run).done).code).toBe(0);
  await reaches(sft(run, 2), stopped + 3);
  expect((await rowsOf(sft(run, 2)))[0]?.step).toBe(stopped + 1);
  expect((await queue(run)).get(`critic-${run}-sft-a2`)).toBe('10:00');

  expect((await critic('retry', run, 'sft', '--minutes', '7').done).code).toBe(0);
  await withNewWorker();
  await reaches(sft(run, 3), 1);
  expect((await queue(run)).get(`critic-${run}-sft-a3`)).toBe('7:00');
  const again = (await rowsOf(sft(run, 2))).at(-1)?.step ?? 0;
  expect((await rowsOf(sft(run, 3)))[0]?.step).toBe(again + 1);
  await critic('cancel', run).done;
  await done;
  await clear();
}, 900_000);
