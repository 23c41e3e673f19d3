/** Predictions on two nodes of a real Slurm: asked to stop, resumed, and the answers are those of one process. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
const dataset = join(state, 'datasets/predictions');
const python = process.env['CRITIC_PYTHON'] ?? 'none';
const trainer = { ...process.env, PYTHONPATH: join(root, 'trainer') };
const asked = z.looseObject({ params: z.looseObject({ processes: z.number(), samples: z.number() }) });
const manifest = z.object({ made_by: z.object({ run: z.string() }) });
const line = z.object({ id: z.string(), greedy: z.object({ text: z.string() }), samples: z.array(z.unknown()) });

/** The smoke recipe with predictions in two processes, one on each node and its GPU. Several samples make a batch last seconds. */
async function writeRecipe(folder: string): Promise<string> {
  const text = await readFile(join(root, 'recipes/smoke.yaml'), 'utf8');
  const spread = `batch_size: 1
  samples: 6
  prefill: <think>
  max_new_tokens: 80
  resources: { partition: a100, nodes: 2, gpus_per_node: 1, gpu_type: a100, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }`;
  const changed = text
    .replace(/batch_size: 20\n {2}max_new_tokens: 80\n {2}resources: \*small/, spread)
    .replace('seed: 1', `seed: ${Date.now() % 1_000_000}`) // else the answers of an earlier test are reused
    .replace('../models/tiny-critic', join(root, 'models/tiny-critic'));
  const path = join(folder, 'predictions.yaml');
  await writeFile(path, changed);
  return path;
}

/** What the run has published, once it has. */
async function predictions(run: string): Promise<string> {
  const folder = join(store, 'artifacts/predict-base');
  for (let left = 300; left > 0; left -= 1) {
    for (const key of await readdir(folder).catch(() => [])) {
      const text = await readFile(join(folder, key, 'manifest.json'), 'utf8');
      if (manifest.parse(JSON.parse(text)).made_by.run === run)
        return readFile(join(folder, key, 'predictions.jsonl'), 'utf8');
    }
    await sleep(100);
  }
  throw new Error(`${run} published no predictions within 30 s`);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 240_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`did not see within 240 s: ${what}`);
    await sleep(100);
  }
}

/** The same attempt in one process, from its first row, beside the run. */
async function predictAlone(attempt: string, folder: string): Promise<string> {
  const raw = asked.parse(JSON.parse(await readFile(join(attempt, 'attempt.json'), 'utf8')));
  const { processes: _processes, ...params } = raw.params;
  await mkdir(folder);
  await writeFile(join(folder, 'attempt.json'), JSON.stringify({ ...raw, params }));
  await execute(python, ['-P', '-m', 'critic_trainer'], { env: { ...trainer, CRITIC_ATTEMPT_DIR: folder } });
  return readFile(join(folder, 'output/predictions.jsonl'), 'utf8');
}

it('two ranks stop and resume, and predict what one process predicts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'critic-predictions-'));
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  await execute(python, drawing, { env: trainer });
  const started = critic('run', await writeRecipe(folder), '--dataset', dataset, '--fail-on-question');
  const [, run = 'none'] = await sees(started.seen, /^run (smoke-\S+)/m, 60);
  const attempt = (number: number) => join(store, 'runs', run, 'jobs/predict-base', `a${number}`);
  const has = (number: number, file: string) =>
    until(file, () => Promise.resolve(existsSync(join(attempt(number), file))));

  await has(1, 'metrics.jsonl');
  const [job] = (await accountedJobs(run)).get(`critic-${run}-predict-base-a1`) ?? [];
  await execute('scancel', ['--signal=USR2', '--batch', job?.id ?? 'none']);
  const alone = predictAlone(attempt(1), join(folder, 'alone'));
  await has(1, 'outcome.json');
  expect(JSON.parse(await readFile(join(attempt(1), 'outcome.json'), 'utf8'))).toMatchObject({ exit_code: 85 });
  const [checkpoint = 'none'] = (await readdir(join(attempt(1), 'checkpoints'))).toSorted().slice(-1);
  await has(2, 'result.json');
  const together = await predictions(run);
  await critic('cancel', run).done;
  await started.done;

  const raw = JSON.parse(await readFile(join(attempt(2), 'attempt.json'), 'utf8'));
  expect(raw).toMatchObject({ params: { processes: 2, samples: 6, prefill: '<think>' } });
  expect(raw).toMatchObject({ resume_from: join(attempt(1), 'checkpoints', checkpoint) });
  const rows = together
    .trimEnd()
    .split('\n')
    .map((row) => line.parse(JSON.parse(row)));
  expect(rows.every(({ greedy, samples }) => greedy.text.startsWith('<think>') && samples.length === 6)).toBe(true);
  expect(Number(checkpoint.replace('checkpoint-', ''))).toBeLessThan(rows.length);
  expect(together).toBe(await alone);
  await rm(folder, { recursive: true });
}, 300_000);
