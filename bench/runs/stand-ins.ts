/**
 * Activities of the bench: nothing is paid for, and Slurm is not asked. Watching is the real activity, which looks into the attempt's folder twice a
 * second; only the poller is a stand-in. Jobs of runs whose id begins with `ordinary` wait, run and complete within seconds. All others run for ever.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SlurmJob } from 'slurm-rest-client';
import type { Activities } from '../../activities/index.ts';
import type { PolledState } from '../../activities/jobs/watching/polled-state.ts';
import { createWatchActivities } from '../../activities/jobs/watching/watching.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { attemptFiles, attemptName, type Stage } from '../../domain/names.ts';

/** Since when each job is watched, ms epoch, by the attempt's name. */
export type Watched = Map<string, number>;

/** As the worker's default. */
const fileIntervalMs = 500;
const [pendingMs, runningMs] = [1500, 4000];
const rows = 40;

function artifact(stage: Stage, counts: Record<string, number> = {}): ArtifactRef {
  return { stage, key: `key-${stage}`, path: `/store/${stage}`, reused: false, counts, cost: {} };
}

function slurmJob(name: string, state: string): SlurmJob {
  const nothing = undefined;
  return {
    source: 'slurmctld',
    id: '1',
    name,
    state,
    flags: [],
    userName: nothing,
    account: nothing,
    partition: nothing,
    qos: nothing,
    submitTime: nothing,
    startTime: nothing,
    endTime: nothing,
    preemptTime: nothing,
    reason: '',
    stateDescription: '',
    exit: { kind: 'none', code: nothing, signal: nothing },
    derivedExit: { kind: 'none', code: nothing, signal: nothing },
    restartCount: 0,
    requeue: nothing,
    nodes: state === 'PENDING' ? [] : ['a100-0'],
    failedNode: nothing,
    cancelledBy: nothing,
    workDirectory: nothing,
    standardOutput: nothing,
    standardError: nothing,
    comment: nothing,
    timeLimitMinutes: nothing,
  };
}

/** Says of each job what its age says, counted from when this worker first watched it. */
function standInPoller() {
  const since = new Map<string, number>();
  const stateOf = (name: string): string => {
    const began = since.get(name) ?? Date.now();
    since.set(name, began);
    if (!name.startsWith('critic-ordinary')) return 'RUNNING';
    const age = Date.now() - began;
    if (age < pendingMs) return 'PENDING';
    return age < runningMs ? 'RUNNING' : 'COMPLETED';
  };
  return {
    watch: (_id: string, name: string) => ({
      state: (): PolledState => ({ kind: 'known', job: slurmJob(name, stateOf(name)) }),
      hurry: () => undefined,
      close: () => undefined,
    }),
  };
}

/** `folder`: where attempts' folders are made. `watched` is kept up to date. */
export function standIns(folder: string, watched: Watched): Partial<Activities> {
  const watching = createWatchActivities({ poller: standInPoller(), job: { fileIntervalMs } });
  return {
    checkDataset: async () => artifact('dataset', { train: 100, dev: 10, test: 20 }),
    prepareRun: async () => ({
      trainer: '/store/code/abc',
      baseModel: { key: 'base', path: '/store/models/base' },
      engines: { llamafactory: {}, trl: {}, transformers: {} },
    }),
    estimateRun: async () => ({ schema: 1, recipe: 'bench', dataset: {}, stages: [] }),
    lookUpArtifact: async ({ stage }) => ({ key: `key-${stage}` }),
    synthesizeCritiques: async () => artifact('synthesis'),
    writePrompts: async () => artifact('prompts', { test: 20 }),
    mixRecords: async () => artifact('mix', { records: 100 }),
    prepareAttempt: async ({ order, attempt }) => {
      const directory = join(folder, order.run, `${order.stage}-a${attempt}`);
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, attemptFiles.metrics), metrics());
      return { name: attemptName(order.run, order.stage, attempt), directory, attempt };
    },
    submitJob: async () => ({ jobId: '1', adopted: false }),
    watchJob: async (input) => {
      watched.set(input.attempt.name, Date.now());
      try {
        return await watching.watchJob(input);
      } finally {
        watched.delete(input.attempt.name);
      }
    },
    collectAttempt: async () => ({
      jobClass: 'completed',
      evidence: 'done',
      logTail: '',
      node: 'a100-0',
      progress: 10,
      checkpoint: null,
      gpuHours: 0,
      seconds: 1,
      slurmState: 'COMPLETED',
    }),
    cancelJob: async () => ({ jobId: '1' }),
    publishJob: async ({ order }) => artifact(order.stage),
    evaluatePredictions: async () => artifact('evaluation'),
    judgeGate: async () => ({ passed: true, outcome: 'promote', reasons: ['good'], mainScore: 0.5, champion: null }),
    writeReport: async () => {
      await sleep(10);
      return { path: '/store/report.html', summary: 'SRCC 0.7\n' };
    },
  };
}

/** What a training of some minutes has written. The newest rows are a moment old, so nothing is taken for stuck. */
function metrics(): string {
  const now = Date.now() / 1000;
  const lines = Array.from({ length: rows }, (_, step) =>
    JSON.stringify({ step: step + 1, attempt: 1, time: now - rows + step, total_steps: 400, loss: 1 / (step + 1) }),
  );
  return `${lines.join('\n')}\n`;
}
