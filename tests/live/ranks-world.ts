/** SFT in two processes on the two nodes of the local Slurm: its recipe, its attempts' files, its processes. */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { state } from './stack.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const row = z.object({ step: z.number(), loss: z.number(), grad_norm: z.number(), total_steps: z.number() });
const outcome = z.object({ exit_code: z.number(), signal: z.string().nullable() });

export interface Settings {
  epochs: number;
  minutes: number;
  /** Is the mix tokenised by a job of its own? */
  tokenize?: boolean;
}

/** A small dataset; the same one each time. */
export async function drawnDataset(): Promise<string> {
  const dataset = join(state, 'datasets/ranks');
  const python = process.env['CRITIC_PYTHON'] ?? 'none';
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  await execute(python, drawing, { env: { ...process.env, PYTHONPATH: join(root, 'trainer') } });
  return dataset;
}

/** The smoke recipe with SFT in two processes, one on each node, and the dataset that it takes. */
export async function writeRecipe(
  folder: string,
  { epochs, minutes, tokenize = false }: Settings,
): Promise<{ recipe: string; dataset: string }> {
  const dataset = await drawnDataset();
  const text = await readFile(join(root, 'recipes/smoke.yaml'), 'utf8');
  const small = '{ partition: a100, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }';
  const spread = `deepspeed: zero3
  global_batch_size: 8
  batch_size: 4
  learning_rate: 1.0e-3
  epochs: ${epochs}
  cutoff_len: 512
  save_steps: 4
  llamafactory: { bf16: true }
  ${tokenize ? `tokenize: { resources: ${small} }` : ''}
  resources: { partition: a100, nodes: 2, gpus_per_node: 0, cpus: 1, memory_mib: 4000, time_limit_minutes: ${minutes} }
grpo:`;
  const changed = text
    .replace(/batch_size: 8[^]*?\ngrpo:/, spread)
    .replaceAll('*small', small)
    .replace('../models/tiny-critic', join(root, 'models/tiny-critic'));
  const recipe = join(folder, 'ranks.yaml');
  await writeFile(recipe, changed);
  return { recipe, dataset };
}

export async function rowsOf(attempt: string): Promise<z.output<typeof row>[]> {
  const text = await readFile(join(attempt, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => row.parse(JSON.parse(line)));
}

export async function until(what: string, holds: () => Promise<boolean>, seconds = 240): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not see within ${seconds} s: ${what}`);
    await sleep(100);
  }
}

export const reaches = (attempt: string, step: number) =>
  until(`step ${step} in ${attempt}`, async () => ((await rowsOf(attempt)).at(-1)?.step ?? 0) >= step);

/** Pids of the trainers of an attempt by rank: both nodes are this machine. */
export async function ranksOf(attempt: string): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const read = (file: string) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '');
    const variables = (await read('environ')).split('\0');
    if (!variables.includes(`CRITIC_ATTEMPT_DIR=${attempt}`)) continue;
    if (!(await read('cmdline')).endsWith('python\0-P\0-m\0critic_trainer\0')) continue;
    const rank = variables.find((variable) => variable.startsWith('SLURM_PROCID='));
    if (rank !== undefined) found.set(Number(rank.split('=')[1]), Number(name));
  }
  return found;
}

export async function endOf(attempt: string): Promise<z.output<typeof outcome>> {
  return outcome.parse(JSON.parse(await readFile(join(attempt, 'outcome.json'), 'utf8')));
}
