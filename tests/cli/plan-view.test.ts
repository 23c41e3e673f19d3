import { describe, expect, it } from 'vitest';
import { renderPlan } from '../../cli/plan-view.ts';
import type { RunEstimate, SynthesisEstimate } from '../../domain/estimate.ts';

const synthesis: SynthesisEstimate = {
  rows: 800,
  answered: 14,
  tokens: { input: 630_000, images: 500_000, output: 275_000 },
  usd: { expected: 4.33, atMost: 23.1, spent: 0.05, cap: 20 },
};
const estimate: RunEstimate = {
  schema: 1,
  recipe: 'night',
  dataset: { train: 800, test: 200 },
  stages: [
    { stage: 'dataset', action: 'reuse', key: 'k' },
    { stage: 'synthesis', action: 'make', key: 'k', synthesis },
    { stage: 'mix', action: 'make', key: 'k' },
    {
      stage: 'sft',
      action: 'make',
      key: 'k',
      job: { steps: 400, rows: null, seconds: 5400, gpuHours: { expected: 12, atMost: 40 }, measuredIn: 'night-1' },
    },
    {
      stage: 'predict-sft',
      action: 'make',
      key: 'k',
      job: { steps: null, rows: 200, seconds: null, gpuHours: { expected: null, atMost: 8 }, measuredIn: null },
    },
  ],
};

describe('renderPlan', () => {
  const text = renderPlan(estimate).join('\n');

  it('has a line a stage: reused, made, how much of it, what it takes', () => {
    expect(text).toMatch(/^dataset +reuse$/m);
    expect(text).toMatch(/^synthesis +make +786 of 800 +\$4\.33 +\$23\.10$/m);
    expect(text).toMatch(/^sft +make +400 +1\.5 h +12\.00 +40\.00 h$/m);
    expect(text).toMatch(/^predict-sft +make +200 +unknown +unknown +8\.00 h$/m);
  });

  it('says in words what the money and the times rest on', () => {
    expect(text).toContain('800 train, 0 dev, 200 test. Nothing was asked or submitted.');
    expect(text).toContain('0.63 M tokens in (0.50 M of them images), 0.28 M out');
    expect(text).toContain('the cap is $20.00. $0.0500 is spent already.');
    expect(text).toContain('Times follow from those of night-1');
    expect(text).toContain('Unknown: no run');
    expect(text).not.toContain('WARNING');
  });

  it('warns, by field, value and expectation, when the cap will stop it', () => {
    const [dataset, , ...rest] = estimate.stages;
    if (dataset === undefined) throw new Error('no dataset');
    const poor = { ...synthesis, usd: { ...synthesis.usd, cap: 4 } };
    const stages: RunEstimate['stages'] = [
      dataset,
      { stage: 'synthesis', action: 'make', key: 'k', synthesis: poor },
      ...rest,
    ];
    expect(renderPlan({ ...estimate, stages }).join('\n')).toContain(
      'WARNING: the cap will stop it. recipe.synthesis.budget_usd: expected at least $4.38, got $4.00',
    );
  });

  it('is short when everything stands', () => {
    const stages: RunEstimate['stages'] = estimate.stages.map(({ stage, key }) => ({ stage, key, action: 'reuse' }));
    expect(renderPlan({ ...estimate, stages }).join('\n')).not.toMatch(/Synthesis:|Unknown|Times|At most,/);
  });
});
