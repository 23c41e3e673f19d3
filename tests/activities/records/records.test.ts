import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { createRecordActivities } from '../../../activities/records/records.ts';
import { lengthStatistics, qwenImageTokens, readPixelLimits } from '../../../activities/records/record-lengths.ts';
import {
  activityEnvironment,
  inActivity,
  makePlan,
  rejection,
  temporaryFolder,
  type WholePlan,
  type WholeRecipe,
} from '../fixtures.ts';
import { readJsonLines, SynthesisBench } from '../synthesis/synthesis-fixtures.ts';

let bench: SynthesisBench;

// Each test is fast on an idle machine; CI shares its cores.
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  bench = await SynthesisBench.make(6);
});
afterEach(async () => {
  await bench.teacher.stop();
});

function planWith(change: (recipe: WholeRecipe) => WholeRecipe = (recipe) => recipe): WholePlan {
  const plan = makePlan(bench.folder);
  return { ...plan, recipe: change(plan.recipe) };
}

async function prompts(plan = planWith()) {
  const activities = createRecordActivities({ store: bench.store });
  return inActivity(activityEnvironment().env, () => activities.writePrompts({ plan, dataset: bench.dataset }));
}

async function mix(plan = planWith()) {
  const synthesis = await bench.run({ prompt: plan.recipe.synthesis.prompt });
  const activities = createRecordActivities({ store: bench.store });
  const input = { plan, dataset: bench.dataset, synthesis };
  return inActivity(activityEnvironment().env, () => activities.mixRecords(input));
}

const recordsSchema = z.array(
  z.strictObject({
    messages: z.tuple([
      z.strictObject({ role: z.literal('user'), content: z.string() }),
      z.strictObject({ role: z.literal('assistant'), content: z.string() }),
    ]),
    images: z.array(z.string()).min(1).max(2),
  }),
);

async function readRecords(folder: string) {
  return recordsSchema.parse(JSON.parse(await readFile(join(folder, 'train.json'), 'utf8')));
}

describe('prompts', () => {
  it.each([
    ['sft', { cutoff_len: 60 }, 'recipe.sft.cutoff_len: expected at least '],
    ['grpo', { max_prompt_length: 60 }, 'recipe.grpo.max_prompt_length: expected at least '],
    ['predict', { max_prompt_length: 60 }, 'recipe.predict.max_prompt_length: expected at least '],
  ] as const)(
    'that are longer than recipe.%s allows are refused before anything is trained',
    async (kind, change, words) => {
      const plan = planWith((recipe) => ({ ...recipe, [kind]: { ...recipe[kind], ...change } }));
      const error = await rejection(prompts(plan));
      expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
      expect(error).toHaveProperty('message', expect.stringContaining(words));
      expect(error).toHaveProperty('message', expect.stringMatching(/pair "p\d" of (train|test), got 60$/));
      // Also where the artifact stands.
      await prompts();
      await expect(prompts(plan)).rejects.toThrow(words);
    },
  );

  it('hold a row for every pair of each split, without image marks', async () => {
    const artifact = await prompts();
    expect(artifact.counts).toEqual({ train: 6, dev: 1, test: 1 });
    expect(await readJsonLines(join(artifact.path, 'test.jsonl'))).toEqual([
      {
        id: 'p7',
        prompt:
          'Edit: make the circle number 7 blue\nReason about alignment, fidelity and quality, then give a score from 1 to 5.',
        images: ['images/src/s7.png', 'images/edited/p7.png'],
        mos: 1.7,
      },
    ]);
  });

  it('are reused, and made anew for another prompt version', async () => {
    const first = await prompts();
    expect(await prompts()).toEqual({ ...first, reused: true });
    const paper = await prompts(planWith((recipe) => ({ ...recipe, prompt: 'paper-v1' })));
    expect(paper.key).not.toBe(first.key);
  });
});

describe('the mix', () => {
  it('has every critiqued pair once reasoned and once direct, with two image marks and two images each', async () => {
    const artifact = await mix();
    expect(artifact.counts).toMatchObject({ reasoning: 6, direct: 6, records: 12 });
    const records = await readRecords(artifact.path);
    const answers = records.map(({ messages }) => messages[1].content);
    expect(answers.filter((answer) => /^<think>[^]+<\/think>\n<answer>\d\.\d\d<\/answer>$/.test(answer))).toHaveLength(
      6,
    );
    expect(answers.filter((answer) => /^\d\.\d\d$/.test(answer))).toHaveLength(6);
    for (const { messages } of records) {
      expect(messages[0].content.startsWith('<image><image>Edit: make the circle')).toBe(true);
      expect(messages[0].content.split('<image>')).toHaveLength(3);
    }
    for (let id = 0; id < 6; id += 1) {
      expect(records.filter(({ images }) => images[1] === `images/edited/p${id}.png`)).toHaveLength(2);
    }
  });

  it('shows the edit alone, to critic and teacher, where the recipe says so', async () => {
    const plan = makePlan(bench.folder, { prompt: 'teacher-edited-v1' });
    const records = await readRecords((await mix(plan)).path);
    expect(records).toHaveLength(12);
    for (const { messages, images } of records) {
      expect(images).toEqual([expect.stringMatching(/^images\/edited\/p\d+\.png$/)]);
      expect(messages[0].content).toMatch(/^<image>Edit: .*\nSeeing the edited image alone/);
    }
    const rows = await readJsonLines(join((await prompts(plan)).path, 'train.jsonl'));
    expect(rows[0]).toMatchObject({ images: ['images/edited/p0.png'] });
    const [asked] = bench.teacher.requests;
    expect(JSON.stringify(asked?.body).match(/image_url":\{/g)).toHaveLength(1);
    expect(JSON.stringify(asked?.body)).toContain('not its source');
  });

  it('has a dataset card: where it comes from, counts by method and split, yield, cost', async () => {
    const { path } = await mix();
    const card = await readFile(join(path, 'README.md'), 'utf8');
    for (const line of [
      '| Records | 12: 6 reasoning, 6 direct |',
      '| Yield | 6 of 6 pairs (100.0 %) |',
      '| Rejected answers | none |',
      '| test | 6 | 1 | 1 | 6 |',
      '| all | 6 | 1 | 1 | 6 |',
    ]) {
      expect(card).toContain(`${line}\n`);
    }
    expect(card).toMatch(
      /^\| Length \| estimated \d+ tokens on average, 95 % within \d+, longest \d+; cut off at 4,096 \|$/m,
    );
    expect(card).toMatch(/^\| Teacher prompt \| teacher-v1, sha256 [0-9a-f]{64} \|$/m);
    expect(card).toMatch(/^\| Teacher \| gpt-4o-2024-08-06 at http:/m);
    expect(card).toMatch(/^\| Commonest opening \| “the .* …”: 1 kept critiques \(16\.7 %\) \|$/m);
    expect(card).toMatch(/^\| Paid \| \$0\.\d\d: [\d,]+ tokens in/m);
  });

  it('says to LLaMA-Factory where it is', async () => {
    const artifact = await mix();
    expect(JSON.parse(await readFile(join(artifact.path, 'dataset_info.json'), 'utf8'))).toMatchObject({
      critic_mix: {
        file_name: 'train.json',
        formatting: 'sharegpt',
        columns: { messages: 'messages', images: 'images' },
      },
    });
  });

  it('is the same file from the same seed, and another order from another', async () => {
    const first = await readRecords((await mix()).path);
    const other = await readRecords((await mix(planWith((recipe) => ({ ...recipe, seed: 2 })))).path);
    expect(other).not.toEqual(first);
    expect(new Set(other.map((record) => JSON.stringify(record)))).toEqual(
      new Set(first.map((record) => JSON.stringify(record))),
    );
  });

  it.each([
    [0, 0],
    [0.5, 3],
    [2, 12],
  ])('has %d direct records for each reasoned one', async (ratio, direct) => {
    const artifact = await mix(planWith((recipe) => ({ ...recipe, mix: { direct_per_reasoning: ratio } })));
    expect(artifact.counts).toMatchObject({ reasoning: 6, direct });
  });

  it('refuses records that would be cut off, also when they were mixed before', async () => {
    const short = planWith((recipe) => ({ ...recipe, sft: { ...recipe.sft, cutoff_len: 100 } }));
    const failure = await rejection(mix(short));
    expect(failure).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
    expect(failure).toHaveProperty(
      'message',
      expect.stringMatching(/^recipe\.sft\.cutoff_len: expected at least \d+, .*pair "p\d".*, got 100/),
    );
    await mix();
    expect(await rejection(mix(short))).toMatchObject({ type: 'DataInvalid' });
  });

  it('takes no instruction for an image mark', async () => {
    const path = join(bench.dataset.path, 'pairs.jsonl');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('make the circle number 3 blue', 'put <image> there'));
    const synthesis = await bench.run({ minimum_yield: 0.5 });
    const activities = createRecordActivities({ store: bench.store });
    const input = { plan: planWith(), dataset: bench.dataset, synthesis };
    const artifact = await inActivity(activityEnvironment().env, () => activities.mixRecords(input));
    const records = await readRecords(artifact.path);
    expect(records.every(({ messages }) => messages[0].content.split('<image>').length === 3)).toBe(true);
    expect(records.some(({ messages }) => messages[0].content.includes('put ‹image› there'))).toBe(true);
  });
});

describe('tokens of an image in Qwen2.5-VL', () => {
  it.each([
    [56, 56, 784, 768 * 768, 4],
    [10, 10, 784, 768 * 768, 1],
    [256, 256, 512 * 512, 1024 * 1024, 18 * 18],
    [1024, 1024, 784, 1024 * 1024, 37 * 37],
    [2048, 1024, 784, 768 * 768, 39 * 19],
  ])('are, for %d x %d within %d to %d pixels, %d', (width, height, min, max, tokens) => {
    expect(qwenImageTokens(width, height, { min, max })).toBe(tokens);
  });
});

describe('pixel limits', () => {
  const limits = async (config: string | undefined, keys: Record<string, string | number> = {}) => {
    const model = await temporaryFolder();
    if (config !== undefined) await writeFile(join(model, 'preprocessor_config.json'), config);
    const { recipe } = planWith();
    return readPixelLimits({ ...recipe, base_model: model, sft: { ...recipe.sft, llamafactory: keys } });
  };

  it.each([
    ['are Qwen’s where the model names none', undefined, {}, { min: 3136, max: 1_003_520 }],
    [
      'are the model’s',
      '{"min_pixels":784,"max_pixels":50176,"size":{"shortest_edge":1}}',
      {},
      { min: 784, max: 50_176 },
    ],
    ['may be in its sizes', '{"size":{"shortest_edge":784,"longest_edge":50176}}', {}, { min: 784, max: 50_176 }],
    [
      'are the recipe’s before all',
      '{"max_pixels":5}',
      { image_min_pixels: 262_144, image_max_pixels: '1048576' },
      { min: 262_144, max: 1_048_576 },
    ],
  ])('%s', async (_name, config, keys, expected) => {
    expect(await limits(config, keys)).toEqual(expected);
  });

  it('that cannot be read are a bad configuration', async () => {
    expect(await rejection(limits('{"max_pixels":'))).toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
  });

  it('decide how long records are, and are in the key of the mix', async () => {
    const withLimit = (pixels: number) =>
      mix(planWith((recipe) => ({ ...recipe, sft: { ...recipe.sft, llamafactory: { image_min_pixels: pixels } } })));
    const [usual, larger] = [await withLimit(3136), await withLimit(280 * 280)];
    expect((larger.counts['longest_tokens'] ?? 0) - (usual.counts['longest_tokens'] ?? 0)).toBe(2 * (100 - 4));
    expect(larger.key).not.toBe(usual.key);
  });
});

describe('lengths of records', () => {
  it.each([
    ['of none', [], { mean: 0, p95: 0, longest: 0 }],
    ['of one', [7], { mean: 7, p95: 7, longest: 7 }],
    ['of twenty', Array.from({ length: 20 }, (_, i) => 20 - i), { mean: 11, p95: 19, longest: 20 }],
  ])('%s', (_name, tokens, expected) => {
    expect(lengthStatistics(tokens)).toEqual(expected);
  });
});
