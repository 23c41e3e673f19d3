/** LLaMA-Factory: our SFT stage against `llamafactory-cli train` on the YAML that it renders. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { checkout } from '../../infra/local/stack-config.ts';
import { type Contest, environment } from './contest.ts';
import { type Inputs, makeAttempt, settingsOf, trainer } from './work.ts';

const batch = 16;
const records = 320;

/** `epochs` passes over 320 records in batches of 16, a checkpoint every 50 steps. */
export function llamaFactory({ python, inputs, epochs }: { python: string; inputs: Inputs; epochs: number }): Contest {
  const steps = (epochs * records) / batch;
  const params = {
    batch_size: batch,
    gradient_accumulation: 1,
    learning_rate: 1e-3,
    epochs,
    warmup_ratio: 0.1,
    cutoff_len: 512,
    save_steps: 50,
  };
  const lastLoss = (path: string, total: number) => () => `loss ${lossOf(path, total)} at step ${total}`;
  return {
    name: 'LLaMA-Factory',
    work: `SFT of the tiny critic, ${steps} steps of ${batch} records, a checkpoint every 50, one thread`,
    isWaitedFor: true,
    ours(folder) {
      makeAttempt(folder, 'sft', 'llamafactory', { inputs, steps, params });
      const own = { CRITIC_ATTEMPT_DIR: folder, CRITIC_PYTHON: python, CRITIC_TRAINER: trainer, HOME: folder };
      const metrics = join(folder, 'metrics.jsonl');
      const argv: [string, ...string[]] = ['/bin/bash', join(checkout, 'infra/sbatch/job.sh')];
      const command = { argv, env: { ...environment, ...own }, cwd: folder, log: join(folder, 'log'), steps: metrics };
      return { command, end: lastLoss(metrics, steps) };
    },
    bare(folder) {
      const unused = `${folder}-rendered`;
      const attempt = makeAttempt(unused, 'sft', 'llamafactory', { inputs, steps, params });
      mkdirSync(folder);
      const settings = { ...settingsOf(attempt, unused, python), output_dir: join(folder, 'out') };
      writeFileSync(join(folder, 'train.yaml'), stringify(settings));
      const log = join(folder, 'out/trainer_log.jsonl');
      const argv: [string, ...string[]] = [
        join(dirname(python), 'llamafactory-cli'),
        'train',
        join(folder, 'train.yaml'),
      ];
      const env = { ...environment, HOME: folder, HF_HOME: join(folder, 'hf') };
      return { command: { argv, env, cwd: folder, log: join(folder, 'log'), steps: log }, end: lastLoss(log, steps) };
    },
  };
}

const lineSchema = z.object({
  step: z.number().optional(),
  current_steps: z.number().optional(),
  loss: z.number().optional(),
});

function lossOf(path: string, step: number): string {
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => lineSchema.parse(JSON.parse(line)));
  const found = lines.find((line) => (line.step ?? line.current_steps) === step && line.loss !== undefined);
  return found?.loss?.toFixed(4) ?? 'unknown';
}
