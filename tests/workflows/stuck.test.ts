/** A run whose workflow code was changed under it, on a real Temporal server: it is told as stuck, and goes on with the code that began it. */
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { inject, expect, it } from 'vitest';
import { status } from '../../cli/commands/status.ts';
import { runs } from '../../cli/commands/runs.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { taskQueues } from '../../domain/names.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import { start, stubs, until, withWorkers } from './harness.ts';

const run = 'wf-stuck-replay';

/** Runs `work` beside a worker whose `trainCritic` cannot replay what the run has done. */
async function withChangedCode(work: (client: Client) => Promise<void>): Promise<void> {
  const address = inject('temporalAddress');
  const workflowsPath = fileURLToPath(new URL('changed/index.ts', import.meta.url));
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath });
  const worker = await Worker.create({ connection, taskQueue: taskQueues.workflows, workflowBundle });
  const running = worker.run();
  try {
    await work(new Client({ connection: clientConnection }));
  } finally {
    worker.shutdown();
    await running;
    await clientConnection.close();
    await connection.close();
  }
}

it('a run whose replay fails is told as stuck, once, and runs and status say so; the release that began it goes on with it', async () => {
  const over = new AbortController();
  const watchJob = async () => {
    while (!over.signal.aborted) await Promise.race([Context.current().cancelled, Context.current().sleep(200)]);
    return { state: 'COMPLETED', reason: '', node: 'n1', over: true };
  };
  const { activities } = stubs({ watchJob });
  const enough = 'the worker ends here';
  await expect(
    withWorkers(activities, run, async (client) => {
      const handle = await start(client, run);
      const view = async () => handle.query<RunView>('view');
      await until(view, ({ stages }) =>
        stages.some(({ status: word, jobId }) => word === 'running' && jobId !== undefined),
      );
      throw new Error(enough);
    }),
  ).rejects.toThrow(enough);

  const kept = new Map<string, Notice>();
  const outbox = {
    begun: async () => new Date(Date.now() - 3_600_000),
    put: async (notice: Notice) => kept.set(notice.id, kept.get(notice.id) ?? notice),
  };
  const stuck = () => [...kept.values()].filter((notice) => notice.run === run && notice.kind === 'stuck');
  await withChangedCode(async (client) => {
    await client.workflow.getHandle(run).signal('nudge');
    const observer = new RunObserver(client, outbox);
    for (const end = Date.now() + 120_000; Date.now() < end && stuck().length === 0;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await observer.look(new Date());
    }
    expect(stuck()).toMatchObject([{ text: expect.stringMatching(/nondeterminism|TMPRL1100/i) }]);
    // Its own word is still what it said last.
    const { searchAttributes } = await client.workflow.getHandle(run).describe();
    expect(searchAttributes['CriticStatus']).toEqual(['running']);
    expect(await status(client, run)).toMatchObject({ run, stuck: true, view: null });
    expect(await runs(client, { status: 'stuck', limit: 10 })).toMatchObject([{ run, status: 'stuck' }]);
    // A later try, and another observer: nothing is told twice.
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    await new RunObserver(client, outbox).look(new Date());
    expect(stuck()).toHaveLength(1);
  });

  over.abort();
  await withWorkers(activities, run, async (client) => {
    expect(await client.workflow.getHandle(run).result()).toMatchObject({ passed: true });
    expect(await status(client, run)).toMatchObject({ stuck: false });
  });
}, 240_000);
