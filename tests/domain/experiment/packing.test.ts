/** An experiment on its way into its workflow: small, and the same when it has come. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Experiment, mostMembers } from '../../../domain/experiment/experiment.ts';
import { packed, unpacked } from '../../../domain/experiment/packing.ts';
import { readExperiment } from '../../../input/experiment-file.ts';

/** A payload is to stay under this (`docs/CONTRACTS.md`). */
const most = 100 * 1024;
const recipe = fileURLToPath(new URL('../../../recipes/paper.yaml', import.meta.url));
const model = fileURLToPath(new URL('../../../models/tiny-critic', import.meta.url));
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** 64 arms, of which each has values of its own in every section, one has no SFT, and one has no teacher; 40 directions. */
async function largest(): Promise<Experiment> {
  const folder = await mkdtemp(join(tmpdir(), 'packing-'));
  const arm = (index: number) => ({
    'sft.learning_rate': 1e-5 * (index + 1),
    'sft.llamafactory.adam_beta2': 0.9 + index / 1000,
    'grpo.steps': 100 + index,
    'grpo.reward.shape': ['l1', 'l2', 'gaussian', 'laplace'][index % 4],
    'grpo.learning_rate': 1e-6 * (index + 1),
    'predict.samples': 1 + (index % 8),
    ...(index === 3 ? { sft: 'none' } : {}),
    ...(index === 4 ? { synthesis: 'none', mix: { cot: 0, direct: 1 } } : {}),
  });
  const arms = Object.fromEntries(
    Array.from({ length: mostMembers }, (_, index) => {
      const fields = Object.entries(arm(index)).filter(([field]) => index !== 3 || !field.startsWith('sft.'));
      return [`an-arm-of-this-name-${String(index).padStart(2, '0')}`, Object.fromEntries(fields)];
    }),
  );
  const names = Object.keys(arms);
  const directions = Array.from({ length: 40 }, (_, index) => {
    const says = `${'A sentence that says which of the two is better. '.repeat(4)}${index}`;
    return {
      says,
      source: 'IE-Critic-R1 (arXiv 2511.18055)',
      metric: 'main_score',
      arm: names[index],
      is: 'higher',
      than: names[index + 1],
    };
  });
  const file = join(folder, 'e.yaml');
  const whole = {
    name: 'the-largest-of-them',
    question: 'Which?',
    recipe,
    baseline: names[0],
    arms,
    directions,
    set: { base_model: model },
  };
  await writeFile(file, JSON.stringify(whole));
  return readExperiment(file, { dataset: folder });
}

describe('an experiment of 64 runs', () => {
  let whole: Experiment;
  beforeAll(async () => {
    whole = await largest();
  });

  it('is far above what a payload is to hold as it is, and under it when it is packed', () => {
    expect(whole.members).toHaveLength(mostMembers);
    expect(bytesOf(whole)).toBeGreaterThan(most);
    expect(bytesOf(packed(whole))).toBeLessThan(0.8 * most);
  });

  it('is unpacked as it was, fields that an arm has not and sections that it has not among them', () => {
    const come: unknown = JSON.parse(JSON.stringify(packed(whole)));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    expect(unpacked(come as ReturnType<typeof packed>)).toEqual(whole);
    expect(whole.members.filter(({ recipe: { sft } }) => typeof sft === 'string')).toHaveLength(1);
  });

  it('is under it on its way to its report too, where every run has ended and made all by itself', () => {
    const { members, ...experiment } = whole;
    const stages = [
      'dataset',
      'synthesis',
      'prompts',
      'mix',
      'tokenize',
      'sft',
      'grpo',
      'predict-base',
      'predict-sft',
      'predict-grpo',
      'evaluation',
    ];
    const ended = members.map(({ arm, seed, recipe: { name } }) => {
      const run = `${name}-20261129-030000`;
      const artifacts = Object.fromEntries(stages.map((stage) => [stage, 'f'.repeat(32)]));
      return { arm, seed, status: 'not-passed', run, mainScore: 0.123456789012345, artifacts };
    });
    expect(
      bytesOf([{ id: 'experiment-the-largest-of-them-20261129-030000', experiment, members: ended }]),
    ).toBeLessThan(most);
  });

  it('of an earlier release came whole, and is taken so', () => {
    expect(unpacked(whole)).toBe(whole);
  });
});

it('a list, a name that means something to JavaScript, and a resumed run come as they were', () => {
  const [a, b] = [{ sft: { x: [1, 2], y: null, constructor: 1 } }, { sft: { x: [1], toString: 'a' }, grpo: 'none' }];
  const members = [a, b].map((one, seed) => ({ arm: 'a', seed, recipe: one, ...(seed === 1 ? { resumes: 'r' } : {}) }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const given = { members } as unknown as Experiment;
  expect(unpacked(packed(given))).toEqual(given);
});
