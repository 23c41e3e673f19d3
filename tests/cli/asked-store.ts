/** A server whose caretaker answers inquiries as a worker does, from a store in a temporary folder. No Temporal is needed. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createInquiryActivities } from '../../activities/inquiries/inquiries.ts';
import { ArtifactStore } from '../../activities/store/artifact-store.ts';
import type { Inquiry } from '../../domain/inquiries.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { attemptName, type JobStage, paths, type Stage } from '../../domain/names.ts';
import { inActivity, makePlan, temporaryFolder } from '../activities/fixtures.ts';
import { type FakeRun, type FakeServer, fakeServer } from './fakes.ts';

export interface AskedStore {
  store: ArtifactStore;
  server: FakeServer;
  /** Puts a run on the server. Its stages have these artifacts. */
  knows: (run: string, given?: FakeRun & { artifacts?: Partial<Record<Stage, string>> }) => void;
}

/** A Temporal that has forgotten each run: what is not in the store is nowhere. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more is used here
const forgetful = {
  withAbortSignal: (_signal: unknown, work: () => unknown) => work(),
  options: { namespace: 'default' },
  workflowService: {
    getWorkflowExecutionHistory: () => Promise.reject(Object.assign(new Error('NOT_FOUND'), { code: 5 })),
  },
} as unknown as Client;

export async function askedStore(): Promise<AskedStore> {
  const store = new ArtifactStore(await temporaryFolder());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more is used here; the checks of the rest have a test of their own
  const activities = createInquiryActivities({ store } as Parameters<typeof createInquiryActivities>[0]);
  const env = new MockActivityEnvironment({}, { client: forgetful, logger: new DefaultLogger('ERROR') });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a malformed one is refused, as a test of it shows
  const update = (inquiry: unknown) => inActivity(env, () => activities.answerInquiry(inquiry as Inquiry));
  const runs: Record<string, FakeRun> = { 'critic-caretaker': { type: 'caretaker', update } };
  const knows: AskedStore['knows'] = (run, { artifacts = {}, ...given } = {}) => {
    const stages = Object.entries(artifacts).map(([stage, path]) => ({ stage, status: 'done', artifact: path }));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.entries forgets the names of stages
    runs[run] = { view: { run, recipe: 'demo', status: 'running', stages, questions: [] } as RunView, ...given };
  };
  return { store, server: fakeServer(runs), knows };
}

/** Leaves what a job of this attempt would have: a log, metrics, checkpoints of some bytes, an outcome with this exit code. */
export async function leaveAttempt(
  { store }: AskedStore,
  run: string,
  stage: JobStage,
  attempt: number,
  left: { log?: string; steps?: number[]; checkpoints?: number[]; exitCode?: number; key?: string; jobId?: string },
): Promise<string> {
  const folder = paths.attempt(store.root, run, stage, attempt);
  await mkdir(folder, { recursive: true });
  const put = (name: string, value: unknown) =>
    writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
  const { log, steps, checkpoints = [], exitCode, key, jobId = String(attempt) } = left;
  if (log !== undefined) await put('job.log', log);
  if (steps !== undefined) {
    await put('metrics.jsonl', steps.map((step) => `${JSON.stringify({ step, attempt, loss: step / 8 })}\n`).join(''));
  }
  const changes = { memoryFactor: 1, timeLimitMinutes: null, microBatchHalvings: 0 };
  if (key !== undefined) await put('key.json', { schema: 1, key, changes });
  await put('submission.json', { state: 'submitted', job_id: jobId, since: '2026-11-28T19:00:00Z' });
  for (const step of checkpoints) {
    await mkdir(join(folder, `checkpoints/checkpoint-${step}`), { recursive: true });
    await writeFile(join(folder, `checkpoints/checkpoint-${step}/model`), 'x'.repeat(2048));
  }
  if (exitCode === undefined) return folder;
  const at = (minute: number) => `2026-11-28T19:0${minute}:00Z`;
  await put('outcome.json', {
    schema: 1,
    name: attemptName(run, stage, attempt),
    job_id: jobId,
    host: 'n1',
    exit_code: exitCode,
    signal: null,
    started_at: at(attempt),
    ended_at: at(attempt + 1),
  });
  return folder;
}

/** Leaves the plan of a run, as `prepareRun` does. */
export async function leavePlan({ store }: AskedStore, run: string, more: object = {}): Promise<void> {
  await mkdir(paths.run(store.root, run), { recursive: true });
  await writeFile(
    join(paths.run(store.root, run), 'plan.json'),
    JSON.stringify({ ...makePlan('/data', {}, run), ...more }),
  );
}
