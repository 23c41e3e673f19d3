/**
 * An experiment on a real Temporal and a real Slurm: its worker is killed with -9 while its runs' jobs work, it is cancelled, and resumed. What its arms share
 * is made once, and none of its critics becomes champion.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { until } from './ranks-world.ts';
import { accountedJobs, critic, sees, state, store, workerPid } from './stack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const reportSchema = z.object({
  members: z.array(z.object({ run: z.string(), missing: z.string().optional(), training: z.array(z.unknown()) })),
  measures: z.object({ pairs: z.number(), arms: z.array(z.object({ seeds: z.array(z.number()) })) }),
});

it('an experiment whose worker is killed, and that is cancelled and resumed, makes each thing once and ends with a report', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'critic-experiments-'));
  const dataset = await draw();
  // What an earlier test run on this store has made must not be reused, and its jobs not be counted.
  const seed = String(Date.now() % 1_000_000_000);
  const name = `x${seed}`;
  const file = join(folder, 'experiment.json');
  const arms = { l1: {}, gaussian: { 'grpo.reward.shape': 'gaussian' } };
  const recipe = join(root, 'recipes/smoke.yaml');
  const set = { 'sft.epochs': 6, 'sft.save_steps': 4 };
  await writeFile(file, JSON.stringify({ name, question: 'Which?', recipe, baseline: 'l1', set, arms }));

  const first = critic('experiment', 'run', file, '--dataset', dataset, '--seeds', seed);
  const [, id = 'none'] = await sees(first.seen, /^(experiment-\S+)$/m, 60);
  const [, run = 'none'] = await sees(first.seen, /l1, seed \d+: running \((\S+)\)/, 60);
  await until('a job of SFT that works', async () => hasJob(name, 'sft', 'RUNNING'));
  process.kill(workerPid(), 'SIGKILL');
  expect(await critic('local', 'up').done).toMatchObject({ code: 0 });
  await until('the experiment goes on with the new worker', async () =>
    (await critic('experiment', 'status', id).done).output.includes(`l1, seed ${seed}: running ${run}`),
  );

  expect(await critic('experiment', 'cancel', id).done).toMatchObject({ code: 0 });
  expect(await first.done).toMatchObject({ code: 1, output: expect.stringContaining('was cancelled') });
  const before = await accountedJobs(name);
  expect([...before.values()].flat().filter((one) => one.state === 'RUNNING')).toEqual([]);

  const { code, output } = await critic('experiment', 'resume', id).done;
  expect({ code, output }).toMatchObject({ code: 0 });
  const [, path = ''] = /^Report: (.*report)\.html$/m.exec(output) ?? [];
  const report = reportSchema.parse(JSON.parse(await readFile(`${path}.json`, 'utf8')));
  expect(report.members.flatMap(({ missing }) => missing ?? [])).toEqual([]);
  expect(report.members.map(({ training }) => training.length > 0)).toEqual([true, true]);
  expect(report.measures.arms.map(({ seeds }) => seeds)).toEqual([[Number(seed)], [Number(seed)]]);

  const done = [...(await accountedJobs(name))].filter(([, jobs]) => jobs.some((one) => one.state === 'COMPLETED'));
  const kindOf = (job: string) => /-(sft|grpo|predict-\w+)-a\d+$/.exec(job)?.[1] ?? job;
  // A job of the cancelled experiment may have come to its end as it was asked to stop; what it made was not taken then, or not made again.
  const again = done.flatMap(([job]) => (before.has(job) ? [] : [kindOf(job)]));
  const shared = new Set(['sft', 'predict-base', 'predict-sft']);
  expect(again.filter((kind) => !shared.has(kind)).toSorted()).toEqual([
    'grpo',
    'grpo',
    'predict-grpo',
    'predict-grpo',
  ]);
  // Both arms train alike up to GRPO.
  const once = again.filter((kind) => shared.has(kind));
  expect(once).toHaveLength(new Set(once).size);
  expect(new Set(done.map(([job]) => kindOf(job)))).toEqual(new Set([...shared, 'grpo', 'predict-grpo']));
  expect(await champions()).not.toContain(name);
  await rm(folder, { recursive: true });
});

async function hasJob(name: string, stage: string, wanted: string): Promise<boolean> {
  const jobs = [...(await accountedJobs(name))].filter(([job]) => job.includes(`-${stage}-a`));
  return jobs.some(([, ones]) => ones.some((one) => one.state === wanted));
}

/** A dataset of 40 pairs, below the stack's state. */
async function draw(): Promise<string> {
  const dataset = join(state, 'datasets/experiments');
  const python = process.env['CRITIC_PYTHON'] ?? 'none';
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  const env = { ...process.env, PYTHONPATH: join(root, 'trainer'), PYTHONDONTWRITEBYTECODE: '1' };
  await promisify(execFile)(python, drawing, { env });
  return dataset;
}

/** All that the store says of champions. */
async function champions(): Promise<string> {
  const folder = join(store, 'champions');
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const texts = await Promise.all(
    files.filter((one) => one.endsWith('.json')).map((one) => readFile(join(folder, one), 'utf8')),
  );
  return texts.join('\n');
}
