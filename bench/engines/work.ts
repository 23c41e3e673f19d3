/** The work of bench/engines: a drawn dataset, its mix and prompts in the forms that jobs get, and attempts. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { checkout } from '../../infra/local/stack-config.ts';

export const model = join(checkout, 'models/tiny-critic');
/** The trainer's code as it is when the bench begins, as the store keeps it for a run. */
export const trainer = mkdtempSync(join(tmpdir(), 'engines-code-'));
cpSync(join(checkout, 'trainer/critic_trainer'), join(trainer, 'critic_trainer'), { recursive: true });

const pairSchema = z.object({
  id: z.string(),
  split: z.string(),
  instruction: z.string(),
  source_image: z.string(),
  edited_image: z.string(),
  mos: z.object({ overall: z.number() }),
});
const question = 'Reason about alignment, fidelity and quality, then give a score from 1 to 5.';

export interface Inputs {
  dataset: string;
  mix: string;
  prompts: string;
}

/** Below `folder`, drawn by `python`: 320 records for SFT, 160 prompts for GRPO. */
export function makeInputs(folder: string, python: string): Inputs {
  const inputs = { dataset: join(folder, 'dataset'), mix: join(folder, 'mix'), prompts: join(folder, 'prompts') };
  const numbers = ['--out', inputs.dataset, '--sources', '30', '--edits', '10'];
  const env = { PYTHONPATH: join(checkout, 'trainer') };
  execFileSync(python, ['-m', 'critic_trainer.scenes', ...numbers], { env, stdio: 'ignore' });
  const pairs = readFileSync(join(inputs.dataset, 'pairs.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => pairSchema.parse(JSON.parse(line)))
    .filter(({ split }) => split === 'train')
    .slice(0, 160);
  mkdirSync(inputs.mix);
  mkdirSync(inputs.prompts);
  const rows = pairs.map(({ id, instruction, source_image, edited_image, mos }) => ({
    id,
    prompt: `Edit: ${instruction}\n${question}`,
    images: [source_image, edited_image],
    mos: mos.overall,
  }));
  const answers = (mos: number) => [`<think>It fits.</think>\n<answer>${mos.toFixed(2)}</answer>`, mos.toFixed(2)];
  const records = rows.flatMap(({ prompt, images, mos }) =>
    answers(mos).map((answer) => ({
      messages: [
        { role: 'user', content: `<image><image>${prompt}` },
        { role: 'assistant', content: answer },
      ],
      images,
    })),
  );
  writeFileSync(join(inputs.mix, 'train.json'), JSON.stringify(records));
  writeFileSync(join(inputs.mix, 'dataset_info.json'), JSON.stringify({ critic_mix: mixInfo }));
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  for (const split of ['train', 'test']) writeFileSync(join(inputs.prompts, `${split}.jsonl`), lines);
  return inputs;
}

const mixInfo = {
  file_name: 'train.json',
  formatting: 'sharegpt',
  columns: { messages: 'messages', images: 'images' },
  tags: { role_tag: 'role', content_tag: 'content', user_tag: 'user', assistant_tag: 'assistant' },
};

/** attempt.json of an attempt in `directory`, which is made. */
export function makeAttempt(directory: string, kind: 'sft' | 'grpo', engine: string, given: Given): object {
  const { inputs, steps, params } = given;
  const attempt = {
    schema: 1,
    name: `critic-bench-20261128-190000-${kind}-a1`,
    run: 'bench-20261128-190000',
    stage: kind,
    attempt: 1,
    kind,
    model,
    inputs:
      kind === 'sft'
        ? { dataset: inputs.dataset, mix: inputs.mix }
        : { dataset: inputs.dataset, prompts: inputs.prompts },
    resume_from: null,
    seed: 1,
    threads: 1,
    engine: { name: engine, versions: {} },
    planned: { steps, rows: null },
    params,
  };
  mkdirSync(directory);
  writeFileSync(join(directory, 'attempt.json'), JSON.stringify(attempt));
  return attempt;
}

export interface Given {
  inputs: Inputs;
  steps: number;
  params: object;
}

const renderedSchema = z.object({
  rendered: z.array(z.object({ settings: z.record(z.string(), z.unknown()) })).length(1),
});

/** The engine's own settings as our job renders them on a node without a GPU. `python` is of its environment. */
export function settingsOf(attempt: object, directory: string, python: string): Record<string, unknown> {
  const input = JSON.stringify({ attempts: [{ attempt, directory, base_model: model, gpu: false }] });
  const env = { PYTHONPATH: trainer, PATH: '/usr/bin:/bin' };
  const printed = execFileSync(python, ['-P', '-m', 'critic_trainer.engines', 'render'], {
    input,
    env,
    encoding: 'utf8',
  });
  const [first] = renderedSchema.parse(JSON.parse(printed)).rendered;
  return first?.settings ?? {};
}
