/**
 * The whole pipeline with SFT under ZeRO-3 on two nodes and GRPO by verl on two, on a real Slurm, without a GPU: verl's answers come from a
 * stand-in for vLLM. On the way the second rank of GRPO is killed with -9, then the first one, then the job is asked to stop.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { accountedJobs, critic, sees, state, store } from '../live/stack.ts';
import { processesOf, trainerOf } from './processes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dataset = join(state, 'datasets/verl');
const execute = promisify(execFile);
const steps = 8;
const row = z.object({ step: z.number(), reward: z.number(), grad_norm: z.number(), reward_format: z.number() });
const outcome = z.object({ exit_code: z.number(), signal: z.string().nullable() });
const result = z.object({ steps_done: z.number(), first_step: z.number(), trainer: z.record(z.string(), z.string()) });
/** Exit codes of a run that came to its end, whatever the gate says of so few pairs. */
const verdicts = [0, 2];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'critic-verl-'));
  const python = process.env['CRITIC_PYTHON'] ?? 'none';
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  await execute(python, drawing, { env: { ...process.env, PYTHONPATH: join(root, 'trainer') } });
}, 60_000);

afterAll(() => rm(folder, { recursive: true }));

/** The smoke recipe with both trainings on two nodes. `own`: keys of verl. */
async function writeRecipe(name: string, own: string): Promise<string> {
  const text = await readFile(join(root, 'recipes/smoke.yaml'), 'utf8');
  const trainings = `sft:
  deepspeed: zero3
  global_batch_size: 8
  batch_size: 4
  learning_rate: 1.0e-3
  epochs: 1
  cutoff_len: 512
  save_steps: 100
  resources: { partition: a100, nodes: 2, gpus_per_node: 0, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }
grpo:
  engine: verl
  steps: ${steps}
  prompts_per_step: 4
  generations: 4
  micro_batch_size: 4
  max_prompt_length: 256
  learning_rate: 5.0e-5
  max_completion_length: 80
  save_steps: 2
  verl: ${own}
  resources: { partition: a100, nodes: 2, gpus_per_node: 0, cpus: 2, memory_mib: 9000, time_limit_minutes: 15 }
predict:`;
  const changed = text
    .replace(/sft:[^]*\npredict:/, trainings)
    .replace('*small', '{ partition: a100, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }')
    .replace('../models/tiny-critic', join(root, 'models/tiny-critic'));
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, changed);
  return path;
}

async function until(what: string, seconds: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not see within ${seconds} s: ${what}`);
    await sleep(100);
  }
}

async function rowsOf(file: string): Promise<z.output<typeof row>[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => row.parse(JSON.parse(line)));
}

const outcomeOf = (attempt: string) => outcome.parse(JSON.parse(readFileSync(join(attempt, 'outcome.json'), 'utf8')));

/** Waits for a checkpoint of the attempt beyond a step. */
const publishes = (attempt: string, step: number) =>
  until(`checkpoint-${step} in ${attempt}`, 600, () => existsSync(join(attempt, `checkpoints/checkpoint-${step}`)));

/** Waits for the end of an attempt's job, which may take a minute, and of all its processes. */
async function ends(attempt: string): Promise<void> {
  await until('the end of the job', 60, () => existsSync(join(attempt, 'outcome.json')));
  await until('the end of every process', 15, async () => (await processesOf(attempt)).length === 0);
}

describe('verl on Ray on two nodes of a real Slurm', () => {
  it('goes through the pipeline to a report, though each rank is killed with -9 once and the job is asked to stop', async () => {
    const started = critic('run', await writeRecipe('verl', '{}'), '--dataset', dataset, '--fail-on-question');
    const [, run = 'none'] = await sees(started.seen, /^run (smoke-\S+)/m, 60);
    const attempt = (number: number) => join(store, 'runs', run, 'jobs/grpo', `a${number}`);

    await publishes(attempt(1), 2);
    const token = (await readFile(join(attempt(1), 'ray/token'), 'utf8')).trim();
    const processes = await processesOf(attempt(1));
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(processes.length).toBeGreaterThan(10);
    expect(processes.filter(({ environment }) => environment.includes(token))).toEqual([]);
    expect(await readFile(join(attempt(1), 'job.log'), 'utf8')).not.toContain(token);
    process.kill(await trainerOf(attempt(1), 1), 'SIGKILL');
    await ends(attempt(1));
    expect(outcomeOf(attempt(1))).toEqual({ exit_code: 137, signal: 'SIGKILL' });

    await publishes(attempt(2), 4);
    process.kill(await trainerOf(attempt(2), 0), 'SIGKILL');
    await ends(attempt(2));
    expect(outcomeOf(attempt(2))).toEqual({ exit_code: 137, signal: 'SIGKILL' });

    await publishes(attempt(3), 6);
    const [job] = (await accountedJobs(run)).get(`critic-${run}-grpo-a3`) ?? [];
    await execute('scancel', ['--signal=USR2', '--batch', job?.id ?? 'none']);
    await ends(attempt(3));
    expect(outcomeOf(attempt(3))).toEqual({ exit_code: 85, signal: null });

    const { code, output } = await started.done;
    if (!verdicts.includes(code)) throw new Error(`the run ended with ${code}:\n${output}`);
    expect(output).toMatch(/after GRPO +\S/);
    expect(await readFile(join(store, 'runs', run, 'report.html'), 'utf8')).toContain(run);
    const first = async (number: number) => (await rowsOf(join(attempt(number), 'metrics.jsonl')))[0]?.step;
    expect([await first(1), await first(2), await first(3)]).toEqual([1, 3, 5]);
    const last = result.parse(JSON.parse(await readFile(join(attempt(4), 'result.json'), 'utf8')));
    expect(last).toMatchObject({ steps_done: steps, first_step: 7, trainer: { verl: '0.9.1' } });
    const [key = 'none'] = await readdir(join(store, 'artifacts/grpo'));
    const rows = await rowsOf(join(store, 'artifacts/grpo', key, 'metrics.jsonl'));
    expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
    // SFT has taught the form to some degree. A random output layer would never have it.
    expect(rows.reduce((sum, { reward_format }) => sum + reward_format, 0) / rows.length).toBeGreaterThan(0.2);
    expect(rows.some(({ grad_norm }) => grad_norm > 0)).toBe(true);
  });

  it.each([
    ['a key that verl does not have', '{ trainer.total_epocks: 3 }', /trainer\.total_epocks/],
    [
      'a type that its parser lets through',
      '{ actor_rollout_ref.actor.ppo_epochs: many }',
      /ppo_epochs.*a whole number/,
    ],
    ['a key that is ours', '{ trainer.save_freq: 7 }', /trainer\.save_freq.*set by the trainer/],
  ])('refuses %s before anything is in the queue', async (_what, own, said) => {
    const path = await writeRecipe('wrong', own);
    const { code, output } = await critic('run', path, '--dataset', dataset, '--fail-on-question').done;
    // It asks the operator, and nothing is paid for yet.
    if (code !== 3) throw new Error(`the run ended with ${code}:\n${output}`);
    expect(output.replace(/\s+/g, ' ')).toMatch(said);
    const [, run = 'none'] = /^run (smoke-\S+)/m.exec(output) ?? [];
    await critic('cancel', run).done;
    expect((await accountedJobs(run)).size).toBe(0);
  });
});
