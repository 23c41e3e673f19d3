import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createEvaluationActivities, type EvaluationInput } from '../../../activities/evaluation/evaluation.ts';
import { readEvaluation, readJudgedItems } from '../../../activities/evaluation/evaluation-file.ts';
import { renderSummary } from '../../../activities/report/summary.ts';
import { grpoClaims, grpoHeadline } from '../../../domain/critique/claims.ts';
import type { ArtifactRef } from '../../../domain/manifest.ts';
import {
  evaluationPairs,
  evaluationPlan,
  makeStore,
  predictionsOf,
  publishArtifact,
  publishDataset,
  publishPredictions,
} from './evaluation-fixtures.ts';
import { activityEnvironment, inActivity, rejection } from '../fixtures.ts';

// A thousand resamples of curve fits: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const pairs = evaluationPairs();
const bad = predictionsOf(pairs, 12, { seed: 7, unreadableEvery: 6 });
const fair = predictionsOf(pairs, 3, { seed: 8 });
const good = predictionsOf(pairs, 0.5, { seed: 9 });

let store: ArtifactStore;
let dataset: ArtifactRef;

beforeEach(async () => {
  store = await makeStore();
  dataset = await publishDataset(store, pairs);
});

async function artifactsOf(rows: Partial<Record<'base' | 'sft' | 'grpo', readonly unknown[]>>) {
  const artifacts: EvaluationInput['artifacts'] = { dataset };
  for (const model of ['base', 'sft', 'grpo'] as const) {
    const given = rows[model];
    if (given !== undefined) artifacts[`predict-${model}`] = await publishPredictions(store, model, given);
  }
  return artifacts;
}

async function evaluate(artifacts: EvaluationInput['artifacts'], plan = evaluationPlan()): Promise<ArtifactRef> {
  const { env } = activityEnvironment();
  return inActivity(env, () => createEvaluationActivities({ store }).evaluatePredictions({ plan, artifacts }));
}

describe('evaluatePredictions', () => {
  it('measures every model and the constant predictor on the same pairs, with intervals around the values', async () => {
    const artifact = await evaluate(await artifactsOf({ base: bad, sft: fair, grpo: good }));
    const { models, pairs: count, resampling } = await readEvaluation(artifact.path);
    expect(artifact.counts).toEqual({ rows: 36 });
    expect(count).toBe(36);
    expect(resampling).toEqual({ unit: 'source', units: 12, resamples: 1000, seed: 2 });
    expect(Object.keys(models)).toEqual(['base', 'sft', 'grpo', 'constant']);
    for (const metric of ['main_score', 'srcc', 'plcc', 'plcc_fit', 'krcc', 'reward_sampled'] as const) {
      const { value, interval } = models.grpo?.[metric] ?? {};
      expect(value).toBeGreaterThan(models.base?.[metric]?.value ?? 1);
      expect(interval?.[0]).toBeLessThanOrEqual(value ?? Number.NaN);
      expect(interval?.[1]).toBeGreaterThanOrEqual((value ?? Number.NaN) - 0.01);
    }
    expect(models.base?.readable?.value).toBeCloseTo(30 / 36);
    expect(models.constant?.main_score).toEqual({ value: null, interval: null });
    expect(models.constant?.rmse?.value).toBeGreaterThan(models.grpo?.rmse?.value ?? 9);
    expect(models.constant?.tokens_greedy?.value).toBeNull();
  });

  it('keeps where it agrees, by dimension, method and source, and refuses agreement of too few readable answers', async () => {
    const silent = predictionsOf(pairs, 1, { seed: 7, unreadableEvery: 1 });
    const { breakdown, models, refused } = await readEvaluation(
      (await evaluate(await artifactsOf({ sft: silent, grpo: good }))).path,
    );
    expect(Object.keys(breakdown ?? {})).toEqual(['sft', 'grpo']);
    const { methods, dimensions, within_source: within } = breakdown?.grpo ?? {};
    expect(methods?.['test']?.metrics?.srcc.value).toBe(models.grpo?.srcc?.value);
    expect(dimensions?.quality?.overall).toMatchObject({ rows: 36, valid: 36 });
    expect(within?.agreement.value).toBeGreaterThan(0.5);
    expect(models.sft?.main_score).toEqual({ value: null, interval: null });
    expect(refused).toEqual({ sft: 'only 0 of 36 answers can be read: agreement with people needs 50 %' });
    expect(breakdown?.sft?.methods['test']).toMatchObject({ rows: 36, valid: 0, metrics: null });
  });

  it('claims a gain where the paired interval shows one', async () => {
    const { differences, ...rest } = await readEvaluation(
      (await evaluate(await artifactsOf({ base: bad, sft: fair, grpo: good }))).path,
    );
    expect(differences.grpo_minus_sft?.main_score?.interval?.[0]).toBeGreaterThan(0);
    expect(grpoHeadline({ differences, ...rest })).toBe(
      'GRPO improved on SFT in the reward at temperature 1, MainScore and SRCC.',
    );
  });

  it('claims none between equal predictions: the paired difference is exactly zero', async () => {
    const evaluation = await readEvaluation((await evaluate(await artifactsOf({ sft: fair, grpo: fair }))).path);
    expect(evaluation.differences.grpo_minus_sft?.srcc).toEqual({ value: 0, interval: [0, 0] });
    expect(evaluation.models.base).toBeUndefined();
    expect(grpoHeadline(evaluation)).toBe('No gain of GRPO over SFT is shown.');
    expect(grpoClaims(evaluation)[1]?.sentence).toBe('MainScore: no difference shown, 0.000 (0.000 to 0.000).');
  });

  it('can say nothing of GRPO’s gain when the predictions after SFT were skipped', async () => {
    const evaluation = await readEvaluation((await evaluate(await artifactsOf({ grpo: good }))).path);
    expect(evaluation.differences).toEqual({});
    expect(grpoHeadline(evaluation)).toContain('nothing can be said');
  });

  it('is deterministic, and reused for the same predictions', async () => {
    const artifacts = await artifactsOf({ sft: fair, grpo: good });
    const first = await evaluate(artifacts);
    expect(await evaluate(artifacts)).toEqual({ ...first, reused: true });
    const text = await readFile(join(first.path, 'metrics.json'), 'utf8');
    store = await makeStore();
    dataset = await publishDataset(store, pairs);
    const again = await evaluate(await artifactsOf({ sft: fair, grpo: good }));
    expect(again.key).toBe(first.key);
    expect(await readFile(join(again.path, 'metrics.json'), 'utf8')).toBe(text);
  });

  it('draws pairs where there are too few sources, and says so', async () => {
    const few = evaluationPairs(3, 6);
    dataset = await publishDataset(store, few);
    const evaluation = await readEvaluation((await evaluate(await artifactsOf({ grpo: predictionsOf(few, 1) }))).path);
    expect(evaluation.resampling).toMatchObject({ unit: 'pair', units: 18 });
  });

  it('keeps each pair’s judged answers for later comparisons', async () => {
    const artifact = await evaluate(await artifactsOf({ base: bad, grpo: good }));
    const items = await readJudgedItems(artifact.path, 'base');
    expect(items).toHaveLength(36);
    expect(items[0]?.greedy).toEqual({ score: null, accuracy: 0, format: 0, overall: 0, tokens: 2 });
    expect(await readJudgedItems(artifact.path, 'sft')).toEqual([]);
  });

  it('measures the first of several sampled answers', async () => {
    const [one, several] = [good, good.map((row, index) => ({ ...row, samples: [row.sampled, bad[index]?.sampled] }))];
    const found = [];
    for (const rows of [one, several])
      found.push(await readEvaluation((await evaluate(await artifactsOf({ grpo: rows }))).path));
    expect(found[1]?.models.grpo).toEqual(found[0]?.models.grpo);
  });

  it('finds answers that all give the same score', async () => {
    const same = good.map((row) => ({
      ...row,
      greedy: { text: '<think>Fine.</think><answer>3.00</answer>', tokens: 4 },
    }));
    const evaluation = await readEvaluation((await evaluate(await artifactsOf({ grpo: same }))).path);
    expect(evaluation.sameness.grpo).toEqual({ score: 1, text: 1 });
    expect(evaluation.findings.map((finding) => finding.model)).toContain('grpo');
    expect(evaluation.models.grpo?.srcc).toEqual({ value: null, interval: null });
    const why = 'all its 36 answers give the score 3';
    expect(evaluation.refused).toMatchObject({ grpo: why });
    expect(evaluation.refused).not.toHaveProperty('constant');
    expect(renderSummary(evaluation)).toContain(`after GRPO has no MainScore: ${why}.`);
  });
});

describe('predictions that are not of exactly the test split', () => {
  const faults: [string, readonly unknown[], string][] = [
    ['miss a pair', good.slice(1), 'got 35 rows: 1 missing (test-p0)'],
    ['have a pair twice', [...good, ...good.slice(0, 1)], 'got 37 rows: 1 twice (test-p0)'],
    ['have a pair of another split', [...good, { ...good[0], id: 'train-p0' }], '1 not of the test split (train-p0)'],
    [
      'have another MOS',
      good.map((row, index) => (index < 5 ? { ...row, mos: 1.005 } : row)),
      '5 with another MOS (test-p0, test-p1, test-p2, …)',
    ],
    ['are empty', [], 'got 0 rows: 36 missing'],
    ['have samples that are none', [{ ...good[0], samples: [good[0]?.sampled] }], 'line 1 is no such row'],
    ['have a row that is none', [...good, { id: 'test-p0' }], 'line 37 is no such row'],
  ];
  it.each(faults)('that %s fail the postcondition', async (_name, rows, said) => {
    const artifacts = await artifactsOf({ grpo: rows });
    const error = await rejection(evaluate(artifacts));
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({ type: 'PostconditionFailed', nonRetryable: true });
    expect(String(error)).toContain(said);
    expect(String(error)).toContain('predictions.jsonl');
  });

  it('that are no JSON fail it too, with the line', async () => {
    const broken = await publishArtifact(store, 'predict-grpo', { files: { 'predictions.jsonl': '{"id": NaN}\n' } });
    const error = await rejection(evaluate({ dataset, 'predict-grpo': broken }));
    expect(String(error)).toContain('line 1 is no such row');
  });
});
