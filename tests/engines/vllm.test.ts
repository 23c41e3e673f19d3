/** Predictions by vLLM's engine on two nodes of a real Slurm, from an environment of its own; on a stand-in (tests/easyr1/standins), not on vLLM. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { critic, sees, state, store } from '../live/stack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dataset = join(state, 'datasets/vllm');
const result = z.object({ rows: z.number(), trainer: z.record(z.string(), z.string()) });
const settings = z.record(z.string(), z.unknown());

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'critic-vllm-'));
  const python = process.env['CRITIC_PYTHON'] ?? 'none';
  const drawing = ['-m', 'critic_trainer.scenes', '--out', dataset, '--seed', '7', '--sources', '10', '--edits', '4'];
  await promisify(execFile)(python, drawing, { env: { ...process.env, PYTHONPATH: join(root, 'trainer') } });
}, 60_000);

afterAll(() => rm(folder, { recursive: true }));

/** The smoke recipe with predictions by vLLM, one process on each of two nodes. */
async function writeRecipe(maxPromptLength: number): Promise<string> {
  const text = await readFile(join(root, 'recipes/smoke.yaml'), 'utf8');
  const predictions = `engine: vllm
  batch_size: 2
  samples: 2
  prefill: <think>
  max_new_tokens: 80
  max_prompt_length: ${maxPromptLength}
  resources: { partition: a100, nodes: 2, gpus_per_node: 1, gpu_type: a100, cpus: 1, memory_mib: 4000, time_limit_minutes: 10 }`;
  const changed = text
    .replace(/batch_size: 20\n {2}max_new_tokens: 80\n {2}resources: \*small/, predictions)
    .replace('../models/tiny-critic', join(root, 'models/tiny-critic'));
  const path = join(folder, `vllm-${maxPromptLength}.yaml`);
  await writeFile(path, changed);
  return path;
}

describe("predictions by vLLM's engine", () => {
  it('come from its own environment, on every process of the job', async () => {
    const started = critic('run', await writeRecipe(512), '--dataset', dataset, '--fail-on-question');
    const [, run = 'none'] = await sees(started.seen, /^run (smoke-\S+)/m, 60);
    const attempt = join(store, 'runs', run, 'jobs/predict-base/a1');
    for (let left = 600; left > 0 && !existsSync(join(attempt, 'result.json')); left -= 1) await sleep(200);
    const done = result.parse(JSON.parse(await readFile(join(attempt, 'result.json'), 'utf8')));
    expect(done).toMatchObject({ rows: 8, trainer: { vllm: '0.0.0+standin' } });
    const given = settings.parse(JSON.parse(await readFile(join(attempt, 'work/vllm.json'), 'utf8')));
    expect(given).toMatchObject({ max_model_len: 592, limit_mm_per_prompt: { image: 2 } });
    expect(existsSync(join(attempt, 'stacks-1.txt'))).toBe(true); // of the second process
    await critic('cancel', run).done;
    await started.done;
  }, 240_000);

  it('are refused before anything is paid for where the model has no room for prompt and answer', async () => {
    const { code, output } = await critic('plan', await writeRecipe(2000), '--dataset', dataset).done;
    if (code !== 1) throw new Error(`the plan ended with ${code}:\n${output}`);
    expect(output.replace(/\s+/g, ' ')).toContain('predict.max_prompt_length: expected at most 1968');
  }, 120_000);
});
