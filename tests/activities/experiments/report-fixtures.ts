/** Fixtures of an experiment's report: a store with the evaluations of some runs, and a Temporal that tells which artifacts they have. */
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createEvaluationActivities } from '../../../activities/evaluation/evaluation.ts';
import type { ExperimentReportInput } from '../../../activities/experiments/data.ts';
import { createExperimentActivities } from '../../../activities/experiments/report.ts';
import type { Direction, EndedMember } from '../../../domain/experiment/experiment.ts';
import type { ArtifactRef } from '../../../domain/manifest.ts';
import {
  evaluationPairs,
  evaluationPlan,
  predictionsOf,
  publishArtifact,
  publishDataset,
  publishPredictions,
  jsonLines,
} from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity } from '../fixtures.ts';

const pairs = evaluationPairs(10, 2);

/**
 * Artifacts of a run whose answers are off by up to `noise` and whose answers in training have `tokens` tokens, growing by one a step. `score`: what all its greedy
 * answers after GRPO give.
 */
export async function publishRun(store: ArtifactStore, run: string, noise: number, tokens: number, score?: number) {
  const dataset = await publishDataset(store, pairs);
  const predictions = {
    'predict-base': await publishPredictions(store, 'base', predictionsOf(pairs, 8, { seed: 1 })),
    'predict-sft': await publishPredictions(store, 'sft', predictionsOf(pairs, 2, { seed: 2 })),
    'predict-grpo': await publishPredictions(
      store,
      'grpo',
      predictionsOf(pairs, noise, { seed: noise * 10 + tokens }).map((row) =>
        score === undefined
          ? row
          : { ...row, greedy: { text: `<think>It is.</think><answer>${score}</answer>`, tokens: 9 } },
      ),
    ),
  };
  const steps = Array.from({ length: 30 }, (_, index) => {
    return { step: index + 1, reward: 1 + index / 50, response_length: tokens + index };
  });
  const grpo = await publishArtifact(store, 'grpo', {
    files: { 'metrics.jsonl': jsonLines(steps) },
    cost: { gpu_hours: 0.5, seconds: 1800 },
    ingredients: { run },
    run,
  });
  const { env } = activityEnvironment();
  const plan = evaluationPlan(run);
  const evaluation = await inActivity(env, () =>
    createEvaluationActivities({ store }).evaluatePredictions({ plan, artifacts: { dataset, ...predictions } }),
  );
  return { dataset, grpo, evaluation, ...predictions };
}

export type Artifacts = Record<string, ArtifactRef>;

/** An experiment of two arms, `a` and `b`, and these members. */
export function reportInput(members: EndedMember[], directions: Direction[] = []): ExperimentReportInput {
  return {
    id: 'experiment-e-20261129-030000',
    experiment: {
      schema: 1,
      name: 'e',
      question: 'Which is <b>better</b>?',
      baseline: 'a',
      at_most: 2,
      arms: [
        { name: 'a', set: {} },
        { name: 'b', set: { 'grpo.reward.shape': 'l2' } },
      ],
      seeds: [1],
      directions,
    },
    members,
  };
}

/** A member whose run has these artifacts. */
export function memberOf(
  arm: string,
  run: string | null,
  artifacts: Artifacts = {},
  fields: Partial<EndedMember> = {},
): EndedMember {
  const keys = Object.fromEntries(Object.values(artifacts).map(({ stage, key }) => [stage, key]));
  return { arm, seed: 1, run, status: 'passed', mainScore: 0.5, artifacts: keys, ...fields };
}

/** Writes the report. */
export async function writeExperiment(
  store: ArtifactStore,
  input: ExperimentReportInput,
): Promise<{ path: string; summary: string }> {
  const { env } = activityEnvironment();
  return inActivity(env, () => createExperimentActivities({ store }).writeExperimentReport(input));
}

/** What `findRunArtifacts` gives where the view of the only run that Temporal knows, `known`, has these stages. */
export async function findArtifacts(store: ArtifactStore, run: string, stages: readonly object[]): Promise<unknown> {
  const getHandle = (one: string) => ({
    query: async () => {
      if (one !== 'known') throw new Error(`no worker answers for ${one}`);
      return { stages };
    },
  });
  const withAbortSignal = (_signal: AbortSignal, work: () => unknown) => work();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const client = { workflow: { getHandle }, withAbortSignal } as unknown as Client;
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  return inActivity(env, () => createExperimentActivities({ store }).findRunArtifacts({ run }));
}
