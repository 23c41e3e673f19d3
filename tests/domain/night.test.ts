/** Nights: local times, ids, and when a run ends at the earliest. */
import { describe, expect, it } from 'vitest';
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import { nextLocalTime, nightNoticeId, nightWorkflowId } from '../../domain/nights/night.ts';
import { secondsLeft } from '../../domain/nights/night-eta.ts';
import { isSafeName } from '../../domain/names.ts';
import { stageNames } from '../../domain/stage-graph.ts';
import { plan } from '../workflows/harness.ts';

describe('the next local time', () => {
  it.each([
    ['07:00', 'UTC', '2026-11-28T01:00:00Z', '2026-11-28T07:00:00.000Z'],
    ['07:00', 'UTC', '2026-11-28T07:00:00Z', '2026-11-29T07:00:00.000Z'],
    ['07:00', 'Europe/Berlin', '2026-11-28T23:30:00Z', '2026-11-29T06:00:00.000Z'],
    ['00:15', 'Asia/Kolkata', '2026-11-28T18:40:00Z', '2026-11-28T18:45:00.000Z'],
    ['07:00', 'America/Los_Angeles', '2026-03-08T06:00:00Z', '2026-03-08T14:00:00.000Z'],
    ['07:00', 'Europe/Berlin', '2026-10-24T23:00:00Z', '2026-10-25T06:00:00.000Z'],
    ['02:30', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29T01:30:00.000Z'],
  ])('%s in %s after %s is %s', (time, zone, after, expected) => {
    expect(nextLocalTime(time, zone, new Date(after)).toISOString()).toBe(expected);
  });
});

describe('ids', () => {
  it('of a night’s workflow are those that Temporal makes, and of its notices are safe names', () => {
    const at = new Date('2026-11-28T01:30:00.000Z');
    expect(nightWorkflowId('n', at)).toBe('critic-night-n-2026-11-28T01:30:00Z');
    const id = nightNoticeId('n'.repeat(40), at.toISOString(), 'not-begun');
    expect(id).toBe(`night-${'n'.repeat(40)}-20261128-013000-not-begun`);
    expect(isSafeName(id, 200)).toBe(true);
  });
});

describe('the seconds that are left', () => {
  const { recipe } = plan('r');
  const now = new Date('2026-11-28T02:00:00Z');
  const job = (stage: RunEstimate['stages'][number]['stage'], seconds: number | null) =>
    ({
      stage,
      action: 'make',
      key: '',
      job: { steps: null, rows: null, seconds, gpuHours: { expected: null, atMost: 1 }, measuredIn: null },
    }) as const;
  const estimate: RunEstimate = {
    schema: 1,
    recipe: 'test',
    dataset: {},
    stages: [job('sft', 1000), job('grpo', 5000), job('predict-base', 700), job('predict-grpo', 100)],
  };
  const view = (lines: Record<string, object>) => ({
    run: 'r',
    recipe: 'test',
    status: 'running' as const,
    stages: stageNames(recipe).map((stage) => ({ stage, status: 'pending' as const, ...lines[stage] })),
    questions: [],
  });

  it('are those of the longest way through the stages', () => {
    expect(secondsLeft(recipe, { estimate, view: view({}), progress: {} }, now)).toBe(6100);
  });

  it('count live numbers before the estimate, and what is done not at all', () => {
    const lines = {
      sft: { status: 'done' },
      grpo: { status: 'running', activityId: 'g', startedAt: '2026-11-28T01:50:00Z' },
    };
    expect(secondsLeft(recipe, { estimate, view: view(lines), progress: {} }, now)).toBe(4400 + 100);
    const progress = { g: { state: 'RUNNING', etaSeconds: 20 } };
    expect(secondsLeft(recipe, { estimate, view: view(lines), progress }, now)).toBe(700);
  });

  it('are none where nobody knows anything', () => {
    expect(secondsLeft(recipe, { estimate: undefined, view: view({}), progress: {} }, now)).toBe(0);
  });
});
