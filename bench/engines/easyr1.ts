/**
 * EasyR1: our GRPO stage against `python -m verl.trainer.main` on the settings that it renders, and its merger, which our stage runs too. On nodes without
 * GPUs generation is by a stand-in for vLLM (tests/easyr1/standins), on both sides.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { checkout } from '../../infra/local/stack-config.ts';
import { type Contest, environment } from './contest.ts';
import { type Inputs, makeAttempt, trainer } from './work.ts';

const steps = 4;
const params = {
  steps,
  prompts_per_step: 8,
  prompts_per_update: 8,
  generations: 4,
  learning_rate: 5e-5,
  temperature: 1,
  beta: 0,
  epsilon: 0.2,
  epsilon_high: 0.28,
  max_prompt_length: 256,
  max_completion_length: 80,
  save_steps: 2,
  save_limit: 3,
  validate_steps: 0,
  micro_batch_size: 4,
  tensor_parallel: 1,
  gpu_memory_utilization: 0.6,
  nodes: 1,
  processes_per_node: 1,
  reward: { shape: 'l1', format_weight: 1, floor: 0.05 },
};

/** `python` is of an environment with EasyR1 and, without a GPU, the stand-in for vLLM. */
export function easyR1({ python, inputs }: { python: string; inputs: Inputs }): Contest {
  const given = { inputs, steps, params };
  return {
    name: 'EasyR1',
    work: `GRPO of the tiny critic, ${steps} steps of 8 prompts × 4 answers, two checkpoints, the merge, on Ray`,
    isWaitedFor: false,
    ours(folder) {
      makeAttempt(folder, 'grpo', 'easyr1', given);
      const own = { CRITIC_ATTEMPT_DIR: folder, CRITIC_PYTHON: python, CRITIC_TRAINER: trainer, HOME: folder };
      const metrics = join(folder, 'metrics.jsonl');
      const argv: [string, ...string[]] = ['/bin/bash', join(checkout, 'infra/sbatch/job.sh')];
      const command = { argv, env: { ...environment, ...own }, cwd: folder, log: join(folder, 'log'), steps: metrics };
      return { command, end: () => `${lastStep(metrics)} steps` };
    },
    bare(folder) {
      makeAttempt(folder, 'grpo', 'easyr1', given);
      execFileSync(python, [join(import.meta.dirname, 'render.py'), folder], { env: { PYTHONPATH: trainer } });
      const work = join(folder, 'work');
      const env = {
        ...environment,
        HOME: folder,
        PYTHONPATH: trainer,
        // Short: paths of sockets lie below it.
        RAY_TMPDIR: mkdtempSync(join(tmpdir(), 'r-')),
        RAY_AUTH_MODE: 'disabled',
        RAY_OVERRIDE_RESOURCES: '{"CPU":8,"GPU":1}',
        RAY_USAGE_STATS_ENABLED: '0',
      };
      const script = '"$1" -m verl.trainer.main config=easyr1.yaml && "$1" "$2" --local_dir "$3"';
      const source = execFileSync(
        python,
        ['-c', 'import verl, os; print(os.path.dirname(os.path.dirname(verl.__file__)))'],
        {
          encoding: 'utf8',
          env: { ...env, PYTHONPATH: '' },
        },
      ).trim();
      const merger = [join(source, 'scripts/model_merger.py'), join(work, `easyr1/global_step_${steps}/actor`)];
      const log = join(work, 'easyr1/experiment_log.jsonl');
      const argv: [string, ...string[]] = ['/bin/bash', '-c', script, 'bare', python, ...merger];
      return {
        command: { argv, env, cwd: work, log: join(folder, 'log'), steps: log },
        end: () => `${lastStep(log)} steps`,
      };
    },
  };
}

const lineSchema = z.object({ step: z.number() });

function lastStep(path: string): number {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  // Python's JSON has NaN, which is in no step's number.
  return Math.max(...lines.map((line) => lineSchema.parse(JSON.parse(line.replaceAll('NaN', 'null'))).step));
}
