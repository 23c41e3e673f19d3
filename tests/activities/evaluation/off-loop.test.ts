/** Statistics beside the event loop: it stays free, progress is said, a cancel ends the thread, its errors arrive. */
import { performance } from 'node:perf_hooks';
import { CancelledFailure } from '@temporalio/activity';
import { describe, expect, it, vi } from 'vitest';
import type { EvaluationWork } from '../../../activities/evaluation/statistics.ts';
import { offLoop } from '../../../activities/evaluation/off-loop.ts';
import { constantAnswer, judgeText, type JudgedItem } from '../../../domain/evaluation/evaluation.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';
import { activityEnvironment, inActivity, rejection } from '../fixtures.ts';

// A thousand resamples of curve fits: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const reward = { shape: 'l1', format_weight: 1, floor: 0.05 } as const;

function work(pairs: number): EvaluationWork {
  const random = seededRandom(3);
  const items = Array.from({ length: pairs }, (_, index): JudgedItem & { text: string } => {
    const mos = Math.round(100 + 400 * random()) / 100;
    const score = Math.min(5, Math.max(1, mos + 2 * random() - 1));
    const text = `<think>${index}</think><answer>${score.toFixed(1)}</answer>`;
    const judged = judgeText(text, 20, mos, reward);
    return { id: `p${index}`, source: `s${index % 40}`, mos, greedy: judged, sampled: judged, text };
  });
  const constant = items.map(({ id, source, mos }) => {
    const answer = constantAnswer(3, mos, reward);
    return { id, source, mos, greedy: answer, sampled: answer };
  });
  return {
    judged: { constant, grpo: items },
    texts: { grpo: items.map(({ text }) => text) },
    known: items.map(() => ({ method: 'PnP', labels: {} })),
    reward,
    sampledTemperature: 1,
    seed: 1,
  };
}

describe('statistics off the loop', () => {
  it('leave the event loop idle, and say each step', async () => {
    const { env, heartbeats } = activityEnvironment();
    const before = performance.eventLoopUtilization();
    const evaluation = await inActivity(env, () => offLoop('evaluation', work(100)));
    // Computed on the loop it would be near 1.
    expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
    expect(evaluation.pairs).toBe(100);
    expect(heartbeats).toContainEqual({ state: 'measuring', note: 'grpo, krcc' });
    expect(heartbeats).toContainEqual({ state: 'measuring', note: 'grpo, answers' });
  });

  it('end with the activity: what would take minutes is cancelled at once', async () => {
    const { env, heartbeats } = activityEnvironment();
    env.on('heartbeat', () => {
      if (heartbeats.length === 1) env.cancel();
    });
    const error = await rejection(inActivity(env, () => offLoop('evaluation', work(5000))));
    expect(error).toBeInstanceOf(CancelledFailure);
  });

  it('that fail say why', async () => {
    const { env } = activityEnvironment();
    const broken: EvaluationWork = {
      ...work(10),
      seed: Number.NaN,
      judged: { constant: [], grpo: JSON.parse('[null]') },
    };
    expect(await rejection(inActivity(env, () => offLoop('evaluation', broken)))).toBeInstanceOf(TypeError);
  });
});
