/** SFT under ZeRO-3 on two nodes of a real Slurm: asked to stop, killed in one of its processes, and done all the same. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { accountedJobs, critic, sees, state, store } from './stack.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const dataset = join(state, 'datasets/ranks');
const row = z.object({ step: z.number(), loss: z.number(), grad_norm: z.number(), total_steps: z.number() });
const outcome = z.object({ exit_code: z.number(), signal: z.string().nullable() });

/** The smoke recipe with SFT in two processes, one on each node. */
async function writeRecipe(folder: string): Promise<string> {
  const text = await readFile(join(root, 'recipes/smoke.yaml'), 'utf8');
  const spread = `deepspeed: zero3
  global_batch_size: 8
  batch_size: 4
  learning_rate: 1.0e-3
  epochs: 4
  cutoff_len: 512
  save_steps: 4
  resources: { partition: a100, nodes: 2, gpus_per_node: 0, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }
grpo:`;
  const changed = text
    .replace(/batch_size: 8[^]*?\ngrpo:/, spread)
    .replaceAll('*small', '{ partition: a100, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }')
    .replace('../models/tiny-critic', join(root, 'models/tiny-critic'));
  const path = join(folder, 'ranks.yaml');
  await writeFile(path, changed);
  return path;
}

async function rowsOf(attempt: string): Promise<z.output<typeof row>[]> {
  const text = await readFile(join(attempt, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => row.parse(JSON.parse(line)));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 240_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not see within 240 s: ${what}`);
    await sleep(100);
  }
}

const reaches = (attempt: string, step: number) =>
  until(`step ${step} in ${attempt}`, async () => ((await rowsOf(attempt)).at(-1)?.step ?? 0) >= step);

/** Pid of the trainer that is the second rank of an attempt: both nodes are this machine. */
async function secondRank(attempt: string): Promise<number> {
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const read = (file: string) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '');
    const variables = new Set((await read('environ')).split('\0'));
    if (!variables.has(`CRITIC_ATTEMPT_DIR=${attempt}`) || !variables.has('SLURM_PROCID=1')) continue;
    if ((await read('cmdline')).endsWith('python\0-P\0-m\0critic_trainer\0')) return Number(name);
  }
  throw new Error(`no second rank of ${attempt} runs here`);
}

async function endOf(attempt: string): Promise<z.output<typeof outcome>> {
  return outcome.parse(JSON.parse(await readFile(join(attempt, 'outcome.json'), 'utf8')));
}

it('SFT on two nodes checkpoints all ranks at one step when asked, and outlives the death of one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'critic-ranks-'));
  const python = process.env['CRITIC_PYTHON'] ?? 'none';
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  await execute(python, drawing, { env: { ...process.env, PYTHONPATH: join(root, 'trainer') } });
  const started = critic('run', await writeRecipe(folder), '--dataset', dataset, '--fail-on-question');
  const [, run = 'none'] = await sees(started.seen, /^run (smoke-\S+)/m, 60);
  const attempt = (number: number) => join(store, 'runs', run, 'jobs/sft', `a${number}`);

  await reaches(attempt(1), 5);
  const [job] = (await accountedJobs(run)).get(`critic-${run}-sft-a1`) ?? [];
  await execute('scancel', ['--signal=USR2', '--batch', job?.id ?? 'none']);
  await reaches(attempt(2), 7);
  const before = await rowsOf(attempt(1));
  const stopped = before.at(-1)?.step ?? 0;
  expect(await endOf(attempt(1))).toEqual({ exit_code: 85, signal: null });
  expect((await rowsOf(attempt(2)))[0]?.step).toBe(stopped + 1);

  process.kill(await secondRank(attempt(2)), 'SIGKILL');
  await until('the third attempt done', () => Promise.resolve(existsSync(join(attempt(3), 'result.json'))));
  await critic('cancel', run).done;
  await started.done;
  await rm(folder, { recursive: true });

  expect(await endOf(attempt(2))).toEqual({ exit_code: 137, signal: 'SIGKILL' });
  const [killed, resumed] = [await rowsOf(attempt(2)), await rowsOf(attempt(3))];
  const total = resumed[0]?.total_steps ?? Number.NaN;
  const from = resumed[0]?.step ?? Number.NaN;
  expect(resumed.map(({ step }) => step)).toEqual(Array.from({ length: total - from + 1 }, (_, index) => from + index));
  // What both did after the last checkpoint is the same to the last digit.
  const twice = killed.filter(({ step }) => step >= from);
  expect(from).toBeGreaterThan(stopped);
  expect(twice).toEqual(resumed.slice(0, twice.length));
}, 600_000);
