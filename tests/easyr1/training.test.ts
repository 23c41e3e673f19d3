/**
 * GRPO by EasyR1 on a real Slurm with two nodes: killed, resumed, merged, predicted with and evaluated. Generation is by a stand-in, so this
 * is not tested on vLLM. `npm run test:easyr1` brings the stack.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { accountedJobs, critic, sees, state, store } from '../live/stack.ts';
import { processesOf, trainerOf } from '../engines/processes.ts';
import { artifactOf, outcomeOf, type Row, rowsOf, until } from './attempts.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const dataset = join(state, 'datasets/easyr1');
const python = process.env['EASYR1_PYTHON'] ?? 'none';
/** Exit codes of a run that came to its end, whatever the gate says of its critic. */
const ends = [0, 2];

/** The smoke recipe with GRPO by EasyR1: a process on each of `nodes` nodes. On one it validates on dev. */
async function writeRecipe(folder: string, nodes: number, own = '{}'): Promise<string> {
  const grpo = `grpo:
  engine: easyr1
  steps: 4
  prompts_per_step: 8
  generations: 4
  micro_batch_size: 4
  max_prompt_length: 256
  max_completion_length: 80
  learning_rate: 5.0e-5
  save_steps: 2
  validate_steps: ${nodes === 1 ? 2 : 0}
  easyr1: ${own}
  resources: { partition: a100, nodes: ${nodes}, gpus_per_node: 0, cpus: 2, memory_mib: 9000, time_limit_minutes: 25 }
predict:`;
  const text = (await readFile(join(root, 'recipes/smoke.yaml'), 'utf8'))
    .replace(/grpo:[^]*?\npredict:/, grpo)
    .replace('../models/tiny-critic', join(root, 'models/tiny-critic'));
  const path = join(folder, `easyr1-${nodes}.yaml`);
  await writeFile(path, text);
  return path;
}

async function withRecipe<T>(nodes: number, own: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'critic-easyr1-recipe-'));
  try {
    return await use(await writeRecipe(folder, nodes, own));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A whole run in which one rank's trainer is killed with -9 once the third of four steps is done. Returns the run and its attempts' folder. */
async function killedAndResumed(nodes: number, victim: number): Promise<{ run: string; attempts: string }> {
  return withRecipe(nodes, '{}', async (recipe) => {
    const startedAt = Date.now();
    const started = critic('run', recipe, '--dataset', dataset, '--fail-on-question');
    const [, run = 'none'] = await sees(started.seen, /^run (smoke-\S+)/m, 120);
    const attempts = join(store, 'runs', run, 'jobs/grpo');
    const first = join(attempts, 'a1');
    await until(
      `step 3 in ${first}\n${started.seen()}`,
      800,
      async () => ((await rowsOf(first)).at(-1)?.step ?? 0) >= 3,
    );
    expect(existsSync(join(first, 'checkpoints/checkpoint-2'))).toBe(true);
    process.kill(await trainerOf(first, victim), 'SIGKILL');
    const killedAt = Date.now();
    await until('the end of the killed job', 90, () => Promise.resolve(existsSync(join(first, 'outcome.json'))));
    const seconds = (since: number) => ((Date.now() - since) / 1000).toFixed(0);
    console.log(`${nodes} rank(s): the killed job ended after ${seconds(killedAt)} s`);
    const { code, output } = await started.done;
    console.log(`${nodes} rank(s): the whole run took ${seconds(startedAt)} s\n${output.slice(-2500)}`);
    expect(ends).toContain(code);
    expect(output).toMatch(/after GRPO +\S/);
    return { run, attempts };
  });
}

/** What must hold of such a run. Returns the steps of its stitched metrics. */
async function checked({ run, attempts }: { run: string; attempts: string }): Promise<number[]> {
  const [first = 'none', ...later] = (await readdir(attempts)).toSorted().map((name) => join(attempts, name));
  const last = later.pop() ?? 'none';
  expect(await outcomeOf(first)).toEqual({ exit_code: 137, signal: 'SIGKILL' });
  // On a machine with other work Ray may not start in time, and the attempt after it does.
  for (const attempt of later) expect(await outcomeOf(attempt)).toEqual({ exit_code: 75, signal: null });
  expect(await outcomeOf(last)).toEqual({ exit_code: 0, signal: null });
  const [killed, resumed] = [await rowsOf(first), await rowsOf(last)];
  expect(resumed.map(({ step }) => step)).toEqual([3, 4]);
  // What both did after the checkpoint is the same to the last digit.
  const numbersOf = (rows: Row[]) => rows.map(({ step, loss, grad_norm }) => [step, loss, grad_norm]);
  const twice = killed.filter(({ step }) => step > 2);
  expect(numbersOf(resumed.slice(0, twice.length))).toEqual(numbersOf(twice));
  for (const attempt of [first, ...later, last]) expect(await processesOf(attempt)).toEqual([]);
  const jobs = await accountedJobs(run);
  expect(jobs.get(`critic-${run}-predict-grpo-a1`)?.map((job) => job.state)).toEqual(['COMPLETED']);
  const id = jobs.get(`critic-${run}-grpo-${basename(last)}`)?.[0]?.id ?? 'none';
  expect((await readdir('/tmp')).filter((name) => name.startsWith(`critic-ray-${id}-`))).toEqual([]);
  const rows = await rowsOf(await artifactOf(store, 'grpo', run));
  expect(rows.every(({ reward }) => reward >= 0)).toBe(true);
  const numbers = rows.map(({ step, loss, reward }) => `${step}: loss ${loss.toFixed(4)}, reward ${reward.toFixed(3)}`);
  console.log(`attempts ${later.length + 2}; steps: ${numbers.join(' · ')}`);
  return rows.map(({ step }) => step);
}

beforeAll(async () => {
  if (existsSync(dataset)) return;
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  const trainer = process.env['CRITIC_PYTHON'] ?? 'none';
  await execute(trainer, drawing, { env: { ...process.env, PYTHONPATH: join(root, 'trainer') } });
}, 120_000);

/** Settings that EasyR1's own parser refuses, and one that only its trainer would. */
const wrong: [string, RegExp][] = [
  ['{ worker.actor.entropy_coef: 1 }', /grpo\.easyr1\.worker\.actor\.entropy_coef/],
  ['{ worker.actor.max_grad_norm: much }', /grpo\.easyr1\.worker\.actor\.max_grad_norm/],
  ['{ worker.actor.optim.strategy: adam }', /one of adamw, adamw_bf16/],
  ['{ worker.rollout.n: 3 }', /this key is set by the trainer/],
];

for (const name of ['the current generation', "the authors' generation"]) {
  describe(`${name} before the queue`, () => {
    it.each(wrong)('refuses %s', async (own, said) => {
      const { code, output } = await withRecipe(
        2,
        own,
        (recipe) => critic('run', recipe, '--dataset', dataset, '--fail-on-question').done,
      );
      expect(output).toMatch(said);
      expect(code).not.toBe(0);
      const [, run = 'none'] = /^run (smoke-\S+)/m.exec(output) ?? [];
      expect((await accountedJobs(run)).size).toBe(0);
    });
  });
}

describe('the current generation', () => {
  it('trains in one process, is killed with -9 and goes on at the next step', async () => {
    const done = await killedAndResumed(1, 0);
    expect(await checked(done)).toEqual([1, 2, 3, 4]);
    const rows = await rowsOf(await artifactOf(store, 'grpo', done.run));
    expect(rows.filter((one) => one.validation_reward !== undefined).map(({ step }) => step)).toEqual([2, 4]);
  }, 1_800_000);

  it('trains in two processes on two nodes, loses the second and goes on at the next step', async () => {
    expect(await checked(await killedAndResumed(2, 1))).toEqual([1, 2, 3, 4]);
  }, 1_800_000);
});

describe("the authors' generation", () => {
  it('trains in two processes on two nodes, is killed with -9, goes on at the next step and gives pictures their positions', async () => {
    const done = await killedAndResumed(2, 0);
    expect(await checked(done)).toEqual([1, 2, 3, 4]);
    const last = (await readdir(done.attempts)).toSorted().at(-1) ?? 'none';
    const work = join(done.attempts, last, 'work');
    const told = ['-P', join(root, 'tests/easyr1/positions.py'), join(work, 'easyr1.yaml')];
    const { stdout } = await execute(python, told, {
      env: { ...process.env, PYTHONPATH: join(root, 'trainer') },
      cwd: work,
    });
    // Rows of position ids: as the jobs have it, and as EasyR1 alone would, which is the fault that is kept out.
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({ ours: 3, alone: 1 });
  }, 1_800_000);
});
