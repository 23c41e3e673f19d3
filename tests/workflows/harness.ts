/**
 * Harness: activities that do what a test says, a worker that runs the real workflow bundle, replay of what happened. With
 * `CRITIC_RECORD_HISTORIES` set, what was replayed is kept (`npm run histories:record`).
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { inject } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { CollectedAttempt } from '../../domain/jobs/job-life.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { type Stage, taskQueues } from '../../domain/names.ts';
import { digestNotice } from '../../domain/nights/night-digest.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { recipeSchema, type SftSettings } from '../../domain/recipe.ts';
import type { RunLimits } from '../../workflows/persisting.ts';
import type { trainCritic } from '../../workflows/train-critic.ts';
import { type WholePlan, wholeRecipe } from '../activities/fixtures.ts';
import { keepHistories } from '../histories/recorded.ts';

const resources = { time_limit_minutes: 5 };

export function plan(run: string): WholePlan {
  const recipe = recipeSchema.parse({
    name: 'test',
    seed: 1,
    dataset: '/data',
    base_model: '/base',
    prompt: 'compact-v1',
    synthesis: {
      model: 'm',
      requests_per_minute: 1,
      tokens_per_minute: 1000,
      budget_usd: 1,
      prices: { input: 1, cached_input: 1, output: 1 },
    },
    sft: { batch_size: 10, learning_rate: 0.001, epochs: 1, cutoff_len: 512, save_steps: 10, resources },
    grpo: {
      steps: 5,
      prompts_per_step: 2,
      generations: 2,
      learning_rate: 0.001,
      max_completion_length: 10,
      save_steps: 5,
      resources,
    },
    predict: { batch_size: 2, max_new_tokens: 10, resources },
    gate: { champion: 'test', min_main_score: 0 },
  });
  return { schema: 1, run, recipe: wholeRecipe(recipe) };
}

export function artifact(stage: Stage, counts: Record<string, number> = {}): ArtifactRef {
  return { stage, key: `key-${stage}`, path: `/store/${stage}`, reused: false, counts, cost: {} };
}

export const completed: CollectedAttempt = {
  jobClass: 'completed',
  evidence: 'done',
  logTail: '',
  node: 'n1',
  progress: 10,
  checkpoint: null,
  gpuHours: 0,
  seconds: 1,
  slurmState: 'COMPLETED',
};

/** Activities of a run in which everything goes well; a test overrides what should not. Calls are recorded in order. */
export function stubs(overrides: Partial<Activities>): { activities: Activities; calls: string[] } {
  const calls: string[] = [];
  let jobs = 100;
  const happy: Activities = {
    checkDataset: async () => artifact('dataset'),
    prepareRun: async () => ({
      trainer: '/store/code/abc',
      baseModel: { key: 'base', path: '/store/models/base' },
      engines: { llamafactory: {}, trl: {}, transformers: {} },
    }),
    estimateRun: async () => ({ schema: 1, recipe: 'test', dataset: {}, stages: [] }),
    lookUpArtifact: async ({ stage }) => ({ key: `key-${stage}` }),
    awaitArtifact: async () => undefined,
    takeTurn: async () => undefined,
    leaveTurn: async () => undefined,
    freeArtifact: async () => undefined,
    synthesizeCritiques: async () => artifact('synthesis'),
    writePrompts: async () => artifact('prompts', { test: 7 }),
    mixRecords: async () => artifact('mix', { records: 100 }),
    prepareAttempt: async ({ order, attempt }) => ({
      name: `critic-${order.run}-${order.stage}-a${attempt}`,
      directory: '/a',
      attempt,
    }),
    submitJob: async () => ({ jobId: String((jobs += 1)), adopted: false }),
    watchJob: async () => ({ state: 'COMPLETED', reason: '', node: 'n1', over: true }),
    captureStacks: async () => ({ path: '/a/stacks.txt', tail: 'File "train.py", line 7 in step' }),
    collectAttempt: async () => completed,
    checkChanges: async () => ({ faults: [] }),
    cancelJob: async () => ({ jobId: '101' }),
    endJob: async () => ({ jobId: '101' }),
    endEarlierJobs: async () => ({ ended: [] }),
    findEarlierAttempts: async () => ({ attempts: [], checkpoint: null, progress: 0, gpuHours: 0, changes: null }),
    findOrphans: async () => [],
    tellPeople: async () => 'put',
    checkNight: async () => undefined,
    takeNightTurn: async () => ({ turn: 1 }),
    awaitNightTurn: async () => undefined,
    beginNight: async ({ night }) => ({ plan: plan(`${night.name}-run`), commit: null, deadline: null }),
    foreseeNight: async () => ({ endsAt: null }),
    stopRun: async () => ({ saved: true }),
    endNight: async () => undefined,
    pauseNight: async () => 'paused',
    digestNight: async ({ night, at, run, outcome }) => digestNotice(night, at, at, { run, outcome }),
    writeNightsPage: async () => ({ path: '/store/nights.html' }),
    answerInquiry: async () => ({}),
    examinePartition: async () => ({ partition: null, jobId: '1', nodes: [], collective: null, problems: [] }),
    publishJob: async ({ order }) => artifact(order.stage),
    evaluatePredictions: async () => artifact('evaluation'),
    judgeGate: async () => ({ passed: true, outcome: 'promote', reasons: ['good'], mainScore: 0.5, champion: null }),
    findRunArtifacts: async () => ({ evaluation: '/store/artifacts/evaluation/0123abcd' }),
    writeExperimentReport: async () => ({ path: '/store/experiments/e/report.html', summary: 'arm a\n' }),
    prepareScoring: async ({ order }) => ({
      plan: plan(order.id),
      imported: { trainer: '/store/code/abc', baseModel: { key: 'k', path: '/m' }, engines: { transformers: {} } },
      critic: artifact('grpo'),
      pairs: artifact('prompts-pairs', { pairs: 4, test: 3, refused: 1 }),
      words: 'champion test, version 1 (run r)',
    }),
    writeScores: async ({ order, words }) => ({
      id: order.id,
      purpose: order.purpose,
      pairs: 4,
      refused: 1,
      scored: 3,
      unreadable: 0,
      critic: words,
      metrics: null,
      files: { html: '/s/report.html', jsonl: '/s/scores.jsonl', csv: '/s/scores.csv' },
      summary: 'a table\n',
    }),
    writeReport: async () => ({ path: '/store/report.html', summary: 'SRCC 0.7\n' }),
    ...overrides,
  };
  const recorded = Object.fromEntries(
    Object.entries(happy).map(([name, work]) => [
      name,
      (input: never) => {
        calls.push(describe(name, input));
        return work(input);
      },
    ]),
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { activities: recorded as unknown as Activities, calls };
}

function describe(name: string, input: unknown): string {
  const at = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? Object.entries(value).find(([one]) => one === key)?.[1] : undefined;
  const stage = at(at(input, 'order'), 'stage') ?? at(input, 'stage') ?? at(input, 'name');
  const attempt = at(input, 'attempt');
  return [name, stage, typeof attempt === 'number' ? `a${attempt}` : undefined]
    .filter((part) => typeof part === 'string')
    .join(' ');
}

let bundle: WorkflowBundleWithSourceMap | undefined;

/** Histories of a run, newest first: more than one if it continued as new. */
export async function histories(client: Client, run: string): Promise<History[]> {
  const found: History[] = [];
  for (let runId: string | undefined; ;) {
    const history = await client.workflow.getHandle(run, runId).fetchHistory();
    found.push(history);
    runId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
    if (runId === '') return found;
  }
}

/** Runs `work` beside workers for all queues, then replays the runs' whole histories against the same bundle. */
export async function withWorkers(
  activities: Activities,
  runs: string | string[],
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const address = inject('temporalAddress');
  bundle ??= await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
  });
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  // No process or machine is named in a history that is kept.
  const identity = 'harness';
  const client = new Client({ connection: clientConnection, identity });
  const common = { connection, identity, maxHeartbeatThrottleInterval: 200, defaultHeartbeatThrottleInterval: 200 };
  const workers = [
    await Worker.create({ ...common, taskQueue: taskQueues.workflows, workflowBundle: bundle }),
    ...(await Promise.all(
      [taskQueues.cluster, taskQueues.watch, taskQueues.llm].map((taskQueue) =>
        Worker.create({ ...common, taskQueue, activities }),
      ),
    )),
  ];
  const running = workers.map((worker) => worker.run());
  try {
    await work(client);
    for (const run of [runs].flat()) {
      const found = (await histories(client, run)).map((history) => historyToJSON(history)).toReversed();
      for (const history of found) {
        await Worker.runReplayHistory({ workflowBundle: bundle }, JSON.parse(history), run);
      }
      if (process.env['CRITIC_RECORD_HISTORIES'] !== undefined) keepHistories(run, found);
    }
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await clientConnection.close();
    await connection.close();
  }
}

/** Starts a run of the harness' plan. */
export async function start(
  client: Client,
  run: string,
  retries: Partial<RunPlan['recipe']['retries']> = {},
  limits: Partial<RunLimits> = {},
  sft: Partial<SftSettings> = {},
) {
  const { recipe: usual, ...rest } = plan(run);
  const recipe = { ...usual, sft: { ...usual.sft, ...sft } };
  return client.workflow.start<typeof trainCritic>('trainCritic', {
    workflowId: run,
    taskQueue: taskQueues.workflows,
    args: [
      { ...rest, recipe: { ...recipe, retries: { ...recipe.retries, ...retries } } },
      { historyEvents: 2000, roundSeconds: 300, ...limits },
    ],
  });
}

/** Asks until the answer holds, for thirty seconds. */
export async function until<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let i = 0; i < 300; i += 1) {
    const value = await ask();
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not come about within 30 s');
}
