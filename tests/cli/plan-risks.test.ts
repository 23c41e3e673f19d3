/** What a plan says of kills and of the disk. */
import { describe, expect, it } from 'vitest';
import { diskLines, killLines, testSplitLines } from '../../cli/views/plan-risks.ts';
import { estimateJob, type MeasuredJob } from '../../domain/estimate/estimate.ts';
import type { Stage } from '../../domain/names.ts';

const resources = { nodes: 1, gpus_per_node: 8, cpus: 1, time_limit_minutes: 600, exclude_nodes: [] };

function linesOf(
  stage: Stage,
  engine: 'llamafactory' | 'verl' | 'transformers',
  params: Record<string, unknown>,
  measured?: Partial<MeasuredJob>,
): string[] {
  const planned = engine === 'transformers' ? { steps: null, rows: 9 } : { steps: 400, rows: null };
  const earlier = measured && { run: 'r', amount: 100, seconds: 3000, params, ...measured };
  const job = estimateJob({ engine, params, resources }, planned, earlier);
  return killLines([{ stage, action: 'make', key: 'k', job }]);
}

describe('a kill', () => {
  it('costs the steps since the last checkpoint, at the pace of the last such job', () => {
    expect(linesOf('sft', 'llamafactory', { save_steps: 20 }, {})).toEqual([
      'sft: a kill loses up to 10 min (save_steps 20 × 30 s a step).',
    ]);
  });

  it('costs as much at the time limit where the engine saves only by itself, and more than is allowed warns', () => {
    const params = { save_steps: 20, max_lost_minutes: 4 };
    expect(linesOf('grpo', 'verl', params, { seconds: 300 })).toEqual([
      'grpo: a kill or its time limit loses up to 1.0 min (save_steps 20 × 3.0 s a step).',
    ]);
    expect(linesOf('grpo', 'verl', params, {})).toEqual([
      'grpo: a kill or its time limit loses up to 10 min (save_steps 20 × 30 s a step).',
      'WARNING: recipe.grpo.save_steps: expected at most 8, so that it is no more than max_lost_minutes, 4, got 20',
    ]);
  });

  it('costs at most the whole job', () => {
    expect(linesOf('sft', 'llamafactory', { save_steps: 9999 }, {})[0]).toContain('200 min (save_steps 400 ×');
  });

  it('has an unknown cost without an earlier job, and none that is said of predictions', () => {
    expect(linesOf('grpo', 'verl', { save_steps: 20, max_lost_minutes: 1 })).toEqual([
      'grpo: what a kill or its time limit loses is not known yet: up to the 20 steps between two checkpoints.',
    ]);
    expect(linesOf('predict-sft', 'transformers', {}, {})).toEqual([]);
  });
});

describe('the disk', () => {
  const size = { checkpoint: 116e9, model: 16.6e9, checkpoints: 3 };
  const jobs = [
    { stage: 'sft' as const, parameters: 8.3e9, size },
    { stage: 'grpo' as const, parameters: 8.3e9, size: { ...size, checkpoints: 4 } },
  ];

  it('is said for each training, with what is free', () => {
    expect(diskLines({ free: 2e12, jobs })).toEqual([
      'Disk: sft up to 364.6 GB (3 checkpoints of 116.0 GB, model 16.6 GB).',
      'Disk: grpo up to 480.6 GB (4 checkpoints of 116.0 GB, model 16.6 GB).',
      'Disk: 2.0 TB are free in the store.',
    ]);
    expect(diskLines(undefined)).toEqual([]);
    expect(diskLines({ free: 1, jobs: [] })).toEqual([]);
  });

  it('that does not hold all of them is warned of', () => {
    expect(diskLines({ free: 500e9, jobs }).at(-1)).toBe(
      'WARNING: all together need up to 845.2 GB: checkpoints stay when their job has ended.',
    );
  });
});

describe('a small test split', () => {
  it('is warned of, with what it could show at best', () => {
    expect(testSplitLines(8)).toEqual([
      'WARNING: the test split has 8 pairs: expected at least 50. Of an SRCC of 0.70 the 95 % interval',
      '  is about -0.04 to 0.94 then, and MainScore is undefined if readable answers are fewer than 5 or all give one score.',
    ]);
    expect(testSplitLines(1)).toEqual([
      'WARNING: the test split has 1 pair: expected at least 50. With fewer than 5 MainScore is undefined, and the gate does not pass.',
    ]);
    expect(testSplitLines(50)).toEqual([]);
  });
});
