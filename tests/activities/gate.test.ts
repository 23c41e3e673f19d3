import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ArtifactStore } from '../../activities/artifact-store.ts';
import { createGateActivities, type GateDecision, type GateRequest } from '../../activities/champion.ts';
import { historyPath, keepInHistory, readChampion } from '../../activities/champion/champion-file.ts';
import { createEvaluationActivities } from '../../activities/evaluation.ts';
import type { Pair } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import {
  evaluationPairs,
  evaluationPlan,
  makeStore,
  predictionsOf,
  publishDataset,
  publishGrpo,
  publishPredictions,
} from './evaluation-fixtures.ts';
import { activityEnvironment, inActivity, rejection } from './fixtures.ts';

// A thousand resamples of curve fits: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const pairs = evaluationPairs();
let store: ArtifactStore;
let path: string;

beforeEach(async () => {
  store = await makeStore();
  path = paths.champion(store.root, 'test');
});

/** A candidate whose scores are off by up to `noise` points. */
async function candidate(run: string, noise: number, of: Pair[] = pairs): Promise<GateRequest> {
  const plan = evaluationPlan(run);
  const dataset = await publishDataset(store, of);
  const predictions = await publishPredictions(store, 'grpo', predictionsOf(of, noise, { seed: noise * 100 }));
  const { env } = activityEnvironment();
  const evaluation = await inActivity(env, () =>
    createEvaluationActivities({ store }).evaluatePredictions({
      plan,
      artifacts: { dataset, 'predict-grpo': predictions },
    }),
  );
  return { plan, evaluation, candidate: await publishGrpo(store, `noise ${noise}`), predictions };
}

async function gate(request: GateRequest): Promise<GateDecision> {
  const { env } = activityEnvironment();
  return inActivity(env, () => createGateActivities({ store }).judgeGate(request));
}

async function history(): Promise<string[]> {
  return (await readFile(historyPath(path), 'utf8')).split('\n').filter((line) => line !== '');
}

describe('judgeGate', () => {
  it('makes the first candidate that is good enough the champion', async () => {
    const request = await candidate('run-1', 1);
    const decision = await gate(request);
    expect(decision).toMatchObject({ passed: true, champion: null });
    expect(decision.reasons).toContain('no champion before');
    expect(await readChampion(path)).toMatchObject({
      schema: 1,
      run: 'run-1',
      model: { key: request.candidate.key, path: request.candidate.path },
      evaluation: { key: request.evaluation.key, path: request.evaluation.path },
      main_score: decision.mainScore,
    });
  });

  it('makes none of one that is not', async () => {
    const request = await candidate('run-1', 2);
    const decision = await gate({ ...request, plan: evaluationPlan('run-1', { min_main_score: 0.999 }) });
    expect(decision.passed).toBe(false);
    expect(await readChampion(path)).toBeUndefined();
  });

  it('replaces the champion by a better one and keeps the old one in the history', async () => {
    await gate(await candidate('run-1', 3));
    const first = JSON.stringify(await readChampion(path));
    const decision = await gate(await candidate('run-2', 0.4));
    expect(decision).toMatchObject({ passed: true, champion: 'run-1' });
    expect(decision.reasons.join('; ')).not.toContain('unpaired');
    expect((await readChampion(path))?.run).toBe('run-2');
    expect(await history()).toEqual([first]);
  });

  it('keeps the champion against one that is shown to be worse', async () => {
    await gate(await candidate('run-1', 0.4));
    const decision = await gate(await candidate('run-2', 4));
    expect(decision).toMatchObject({ passed: false, champion: 'run-1' });
    expect((await readChampion(path))?.run).toBe('run-1');
  });

  it('knows the champion’s own artifact when another run brings it', async () => {
    const request = await candidate('run-1', 1);
    await gate(request);
    const decision = await gate({ ...request, plan: evaluationPlan('run-2') });
    expect(decision.passed).toBe(true);
    expect(decision.reasons).toContain('it is the champion already');
    expect((await readChampion(path))?.run).toBe('run-1');
  });

  it('compares unpaired, and says so, where the champion was measured on other pairs', async () => {
    await gate(await candidate('run-1', 3, evaluationPairs(11, 3)));
    const decision = await gate(await candidate('run-2', 0.4));
    expect(decision.passed).toBe(true);
    expect(decision.reasons.at(-1)).toMatch(/^compared unpaired: .*33 there, 36 here/);
  });

  it('is held to a training that is not sick', async () => {
    const request = await candidate('run-1', 1);
    const steps = Array.from({ length: 40 }, (_, index) => ({
      step: index + 1,
      response_length: index < 20 ? 60 : 20,
      non_finite: index === 3 ? ['loss'] : [],
    }));
    const decision = await gate({ ...request, candidate: await publishGrpo(store, 'sick', steps) });
    expect(decision.passed).toBe(false);
    expect(decision.reasons).toContain('training is sick');
  });
});

describe('a gate that is tried again after a crash', () => {
  it('after the promotion: gives the decision that was written, and no second history line', async () => {
    await gate(await candidate('run-1', 3));
    const request = await candidate('run-2', 0.4);
    const decision = await gate(request);
    const written = await readFile(path, 'utf8');
    expect(await gate(request)).toEqual(decision);
    expect(await readFile(path, 'utf8')).toBe(written);
    expect(await history()).toHaveLength(1);
  });

  it('between history and promotion: promotes, with one history line', async () => {
    await gate(await candidate('run-1', 3));
    const before = await readChampion(path);
    if (before === undefined) throw new Error('expected a champion');
    await keepInHistory(path, before);
    expect((await gate(await candidate('run-2', 0.4))).passed).toBe(true);
    expect(await history()).toHaveLength(1);
  });

  it('in the middle of a history line: closes it and writes the whole one', async () => {
    await gate(await candidate('run-1', 3));
    const first = JSON.stringify(await readChampion(path));
    await appendFile(historyPath(path), first.slice(0, 40));
    await gate(await candidate('run-2', 0.4));
    expect(await history()).toEqual([first.slice(0, 40), first]);
  });
});

describe('a champion that cannot be read', () => {
  it.each([
    ['half a file', '{"schema": 1, "run"'],
    ['nothing', ''],
    ['another schema', '{"schema": 2}'],
  ])('as %s is an error that names the file, never a first champion', async (_name, text) => {
    const request = await candidate('run-1', 1);
    await gate(request);
    await writeFile(path, text);
    const error = await rejection(gate({ ...request, plan: evaluationPlan('run-2') }));
    expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
    expect(String(error)).toContain(`champion file "${path}"`);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it.each([['changed'], ['gone']])('because its evaluation is %s is an error that names both', async (what) => {
    const first = await candidate('run-1', 3);
    await gate(first);
    const champion = await readFile(path, 'utf8');
    if (what === 'changed') await appendFile(join(first.evaluation.path, 'items.jsonl'), '\n');
    else await writeFile(path, champion.replaceAll(first.evaluation.path, '/nowhere'));
    const error = await rejection(gate(await candidate('run-2', 0.4)));
    expect(error).toMatchObject({ type: 'DataInvalid' });
    expect(String(error)).toContain(path);
    expect(String(error)).toContain(what === 'changed' ? first.evaluation.path : '/nowhere');
  });
});
