import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeConfigs } from '../../cli/views/plan-configs.ts';
import { renderPlan } from '../../cli/views/plan-view.ts';
import type { JobPreview, RunEstimate, SynthesisEstimate } from '../../domain/estimate/estimate.ts';

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

const preview: JobPreview = {
  stage: 'sft',
  request: { name: 'critic-night-1-sft-a1', nodes: 1 },
  attempt: { kind: 'sft', params: { epochs: 1 } },
  settings: { file: 'llamafactory.yaml', values: { learning_rate: 0.001, cutoff_len: 512 } },
};

describe('renderPlan', () => {
  const text = renderPlan(estimate).join('\n');

  it('has a line a stage: reused, made, how much of it, what it takes', () => {
    expect(text).toMatch(/^dataset +reuse$/m);
    expect(text).toMatch(/^synthesis +make +786 of 800 +\$4\.33 +\$23\.10$/m);
    expect(text).toMatch(/^sft +make +400 +1\.5 h +12\.00 +40\.00 h$/m);
    expect(text).toMatch(/^predict-sft +make +200 +unknown +unknown +8\.00 h$/m);
  });

  it('warns of a job whose expected time is longer than its limit', () => {
    expect(text).not.toContain('times its time limit');
    const job = { steps: 400, rows: null, seconds: 5400, gpuHours: { expected: 12, atMost: 5 }, measuredIn: 'night-1' };
    const lines = renderPlan({ ...estimate, stages: [{ stage: 'grpo', action: 'make', key: 'k', job }] });
    expect(lines.at(-1)).toContain('WARNING: grpo takes about 2.4 times its time limit: 3 attempts, each resumed');
  });

  it('says in words what the money and the times rest on', () => {
    expect(text).toContain('800 train, 0 dev, 200 test.\nNothing was asked or submitted.');
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

  it('has what Slurm and the engine would get of each job, and what could not be shown', () => {
    const shown = renderPlan({ ...estimate, previews: { jobs: [preview], notes: ['not shown'] } }).join('\n');
    expect(shown).toContain('sft/job-request.json\n  {\n    "name": "critic-night-1-sft-a1",\n    "nodes": 1\n  }\n');
    expect(shown).toContain('sft/llamafactory.yaml\n  cutoff_len: 512\n  learning_rate: 0.001\n');
    expect(shown).toMatch(/^not shown$/m);
    expect(shown).not.toContain('attempt.json');
  });

  it('says where that is, and which of it could not be shown, once it has been written', () => {
    const previews = { jobs: [preview, { ...preview, stage: 'grpo' as const }], notes: ['not shown'] };
    const shown = renderPlan({ ...estimate, previews }, '/plan');
    expect(shown.slice(0, 3)).toEqual([
      'Job requests, attempts and engine settings are in /plan, for',
      '  sft, grpo.',
      'not shown',
    ]);
    expect(shown.join('\n')).not.toContain('job-request');
    const none = renderPlan({ ...estimate, previews: { jobs: [], notes: [] } }, '/plan');
    expect(none[0]).toBe('No job is to be made: nothing was written into /plan.');
  });

  it('counts no GPU-hours of a job without GPUs', () => {
    const job = { steps: null, rows: 9, seconds: null, gpuHours: { expected: null, atMost: 0 }, measuredIn: null };
    const lines = renderPlan({ ...estimate, stages: [{ stage: 'tokenize', action: 'make', key: 'k', job }] });
    expect(lines.find((line) => line.startsWith('tokenize'))).toMatch(/ 9 +unknown$/);
  });

  it('fits a terminal of 80 columns', () => {
    const size = { checkpoint: 116e9, model: 16.6e9, checkpoints: 3 };
    const disk = { free: 2e12, jobs: [{ stage: 'grpo' as const, parameters: 8.3e9, size }] };
    expect(renderPlan({ ...estimate, disk }).filter((line) => line.length > 80)).toEqual([]);
  });
});

describe('writeConfigs', () => {
  it('writes a folder for each stage: request, attempt, settings', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'critic-configs-'));
    try {
      await writeConfigs([preview, { ...preview, stage: 'predict-sft', settings: null }], folder);
      const files = (await readdir(folder, { recursive: true })).filter((name) => name.includes('/')).toSorted();
      expect(files).toEqual([
        'predict-sft/attempt.json',
        'predict-sft/job-request.json',
        'sft/attempt.json',
        'sft/job-request.json',
        'sft/llamafactory.yaml',
      ]);
      expect(parse(await readFile(join(folder, 'sft/llamafactory.yaml'), 'utf8'))).toEqual(preview.settings?.values);
      expect(JSON.parse(await readFile(join(folder, 'sft/attempt.json'), 'utf8'))).toEqual(preview.attempt);
      await expect(writeConfigs([preview], join(folder, 'sft/attempt.json'))).rejects.toThrow(/--configs: .*ENOTDIR/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
