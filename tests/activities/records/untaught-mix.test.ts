/** Mixes of recipes that ask no teacher: bare scores, and people's own critiques. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { createRecordActivities, mixIngredients } from '../../../activities/records/records.ts';
import { pairSchema } from '../../../domain/manifest.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import { activityEnvironment, inActivity, makePlan, rejection } from '../fixtures.ts';
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

/** The mix of a recipe that asks no teacher. */
async function mixOf(changes: Partial<RunPlan['recipe']>) {
  const usual = makePlan(bench.folder);
  const plan = { ...usual, recipe: { ...usual.recipe, ...changes } };
  const activities = createRecordActivities({ store: bench.store });
  return inActivity(activityEnvironment().env, () => activities.mixRecords({ plan, dataset: bench.dataset }));
}

/** Gives these pairs of the published dataset a person's critique. */
async function critiqued(ids: readonly string[], critique: string): Promise<void> {
  const rows = await readJsonLines(join(bench.dataset.path, 'pairs.jsonl'));
  const pairs = rows.map((row) => pairSchema.parse(row));
  const text = pairs.map((pair) => `${JSON.stringify(ids.includes(pair.id) ? { ...pair, critique } : pair)}\n`);
  await writeFile(join(bench.dataset.path, 'pairs.jsonl'), text.join(''));
}

const recordsSchema = z.array(
  z.object({ messages: z.tuple([z.unknown(), z.object({ content: z.string() })]), images: z.array(z.string()) }),
);

async function readRecords(folder: string) {
  return recordsSchema.parse(JSON.parse(await readFile(join(folder, 'train.json'), 'utf8')));
}

describe('the mix', () => {
  it('has bare scores of all pairs where no teacher is asked, under one key however that is said', async () => {
    const first = await mixOf({ synthesis: 'none' });
    expect(first.counts).toMatchObject({ reasoning: 0, direct: 6, records: 6 });
    const answers = (await readRecords(first.path)).map(({ messages }) => messages[1].content);
    expect(answers.toSorted()).toEqual(['1.00', '1.10', '1.20', '1.30', '1.40', '1.50']);
    expect(await mixOf({ mix: { cot: 0, direct: 1 } })).toEqual({ ...first, reused: true });
    expect(await readFile(join(first.path, 'README.md'), 'utf8')).toContain('with the bare score alone');
    expect(bench.teacher.requests).toEqual([]);
  });

  it('has people’s critiques where the dataset has them, and bare scores of all', async () => {
    const words = 'I would not have seen <b>the edit</b>. Score 3 of 5!';
    await critiqued(['p1', 'p4'], words);
    const artifact = await mixOf({ synthesis: 'human' });
    expect(artifact.counts).toMatchObject({ reasoning: 2, direct: 6 });
    const records = await readRecords(artifact.path);
    const reasoned = records.filter(({ messages }) => messages[1].content.startsWith('<think>'));
    expect(new Set(reasoned.map(({ images }) => images[1]))).toEqual(
      new Set(['images/edited/p1.png', 'images/edited/p4.png']),
    );
    expect(reasoned[0]?.messages[1].content).toMatch(
      /^<think>I would not have seen ‹b›the edit‹\/b›\. Score 3 of 5!<\/think>\n<answer>1\.\d0<\/answer>$/,
    );
    expect(await readFile(join(artifact.path, 'README.md'), 'utf8')).toContain('| test | 6 | 1 | 1 | 2 |');
    const half = await mixOf({ synthesis: 'human', mix: { cot: 0.5, direct: 0 } });
    expect(half.counts).toMatchObject({ reasoning: 1, direct: 0 });
  });

  it('without any record is refused', async () => {
    await critiqued(['p1'], 'words');
    const failure = await rejection(mixOf({ synthesis: 'human', mix: { cot: 0.1, direct: 0 } }));
    expect(failure).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining('got {"cot":0.1,"direct":0}'));
  });

  it('has the key of earlier releases where it is made as they made it', () => {
    const { recipe } = makePlan(bench.folder);
    expect(mixIngredients(recipe, 'd', 's', { min: 1, max: 2 })).toEqual({
      dataset: 'd',
      synthesis: 's',
      prompt: { version: 'compact-v1', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      mix: { direct_per_reasoning: 1 },
      pixels: { min: 1, max: 2 },
      seed: 1,
    });
  });
});
