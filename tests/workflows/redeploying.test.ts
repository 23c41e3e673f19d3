/** A worker that is deployed with other workflow code in the middle of a run. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, describe, expect, inject, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { taskQueues } from '../../domain/names.ts';
import { completed, start, stubs, until } from './harness.ts';

const root = join(import.meta.dirname, '../..');
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** The workflows as they are, or with one text in one file replaced. */
async function bundleWith(file = '', from = '', to = '', before = ''): Promise<WorkflowBundleWithSourceMap> {
  const folder = mkdtempSync(join(tmpdir(), 'critic-redeploy-'));
  folders.push(folder);
  for (const room of ['workflows', 'domain', 'package.json'])
    cpSync(join(root, room), join(folder, room), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  if (file !== '') {
    const path = join(folder, 'workflows', file);
    const text = readFileSync(path, 'utf8');
    const changed = text.replaceAll(from, to);
    if (changed === text) throw new Error(`nothing was changed in ${file}`);
    writeFileSync(path, `${before}${changed}`);
  }
  return bundleWorkflowCode({ workflowsPath: join(folder, 'workflows/index.ts') });
}

/** Runs `work` while this code is deployed. */
async function deployed(
  workflowBundle: WorkflowBundleWithSourceMap,
  activities: Activities,
  work: () => Promise<void>,
) {
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const queues = [taskQueues.cluster, taskQueues.watch, taskQueues.llm];
  const workers = [
    await Worker.create({ connection, taskQueue: taskQueues.workflows, workflowBundle }),
    ...(await Promise.all(queues.map((taskQueue) => Worker.create({ connection, taskQueue, activities })))),
  ];
  const running = workers.map((worker) => worker.run());
  try {
    await work();
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await connection.close();
  }
}

describe('a run whose worker gets other code', () => {
  /** SFT asks once. */
  const asking = () =>
    stubs({
      collectAttempt: async ({ order, prepared }) =>
        order.stage === 'sft' && prepared.attempt === 1
          ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' }
          : completed,
    });
  const asked = async (client: Client, run: string) =>
    until(
      () => client.workflow.getHandle(run).query<RunView>('view'),
      ({ questions, stages }) =>
        questions.length === 1 && stages.find(({ stage }) => stage === 'predict-base')?.status === 'done',
    );

  it('goes on in it, where a change is patched in; and where one breaks its history it stands still, loses nothing, and goes on in mended code', async () => {
    const now = await bundleWith();
    // What the run has not reached yet is done another way.
    const patched = await bundleWith(
      'conclude-run.ts',
      '  desk.board.start(name, {});\n  const request',
      "  if (redeployed('a-test')) await sleep(1);\n  desk.board.start(name, {});\n  const request",
      "import { patched as redeployed, sleep } from '@temporalio/workflow';\n",
    );
    const incompatible = await bundleWith(
      'run-stages.ts',
      "activityId(name, 1, 'make')",
      "activityId(name, 2, 'make')",
    );
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    const client = new Client({ connection });
    const run = 'wf-redeployed';
    const { activities, calls } = asking();
    try {
      await deployed(now, activities, async () => {
        await start(client, run);
        await asked(client, run);
      });
      const handle = client.workflow.getHandle(run);
      const before = [...calls];
      await deployed(incompatible, activities, async () => {
        await expect(handle.query<RunView>('view')).rejects.toThrow(/Nondeterminism|TMPRL1100/i);
      });
      expect((await handle.describe()).status.name).toBe('RUNNING');
      expect(calls).toEqual(before);
      await deployed(patched, activities, async () => {
        expect((await asked(client, run)).questions.map(({ id }) => id)).toEqual(['sft-1']);
        await handle.executeUpdate('answer', { args: [{ stage: 'sft', action: 'retry' }] });
        expect(await handle.result()).toMatchObject({ passed: true });
      });
      const { events } = await handle.fetchHistory();
      const markers = events?.filter(
        ({ markerRecordedEventAttributes: marker }) => marker?.markerName === 'core_patch',
      );
      expect(markers).toHaveLength(1);
      for (const once of ['checkDataset', 'mixRecords', 'submitJob sft a1', 'submitJob sft a2', 'submitJob grpo a1']) {
        expect(calls.filter((call) => call === once)).toEqual([once]);
      }
    } finally {
      await connection.close();
    }
  }, 180_000);
});
