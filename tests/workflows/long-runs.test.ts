/** Runs that last: what changes often stays out of the history, and a long history continues as new with all that was open. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { createWatchActivities } from '../../activities/jobs/watching/watching.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { JobStage } from '../../domain/names.ts';
import { taskQueues } from '../../domain/names.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { RunObserver } from '../../workers/run-observer.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import type { runJobs } from '../../workflows/jobs/run-jobs.ts';
import { completed, histories, start, stubs, until, withWorkers } from './harness.ts';

function order(run: string, stage: JobStage): JobOrder {
  return {
    run,
    stage,
    key: 'k',
    ingredients: {},
    model: '/m',
    inputs: {},
    params: {},
    seed: 1,
    threads: 1,
    planned: { steps: 10, rows: null },
    resources: { nodes: 1, gpus_per_node: 1, cpus: 1, time_limit_minutes: 5, exclude_nodes: [] },
    watch: { stall_factor: 10, stall_seconds: 600, first_row_seconds: 3600, checkpoint_seconds: 180 },
    trainer: '/t',
    engine: { name: 'llamafactory', versions: {} },
  };
}

async function startJobs(client: Client, run: string, historyEvents: number, stages: JobStage[] = ['sft']) {
  return client.workflow.start<typeof runJobs>('runJobs', {
    workflowId: run,
    taskQueue: taskQueues.workflows,
    searchAttributes: { CriticRecipe: ['kept'] },
    args: [
      {
        run,
        orders: stages.map((stage) => order(run, stage)),
        retries: { max_attempts: 2, policy: {} },
        limits: { historyEvents, roundSeconds: 300 },
      },
    ],
  });
}

/** Lengths of a run's histories, oldest first. */
async function lengths(client: Client, run: string): Promise<number[]> {
  return (await histories(client, run)).map(({ events }) => events?.length ?? 0).toReversed();
}

/** Ends by cancellation only. */
async function forever(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(50);
  }
}

const ended = { state: 'COMPLETED', reason: '', node: 'n1', over: true };

/** Five minutes for 500: `PREEMPTIONS=500 npm run test:workflows -- long-runs`. Histories are cut so that there are several. */
const preemptions = Number(process.env['PREEMPTIONS'] ?? 50);
const cutAt = 4 * preemptions;

describe('the history of a run', () => {
  it(
    'does not know of 10,000 changes of a pending job’s reason, some of which need a person',
    { timeout: 300_000 },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'critic-reasons-'));
      const reasons = ['Priority', 'Resources', 'JobHeldUser', 'QOSGrpGRES', 'PartitionDown'];
      let looks = 0;
      const poller = {
        watch: () => ({
          state: () => {
            looks += 1;
            const state = looks < 10_000 ? 'PENDING' : 'COMPLETED';
            const job = { state, reason: reasons[looks % reasons.length], nodes: [], flags: [], restartCount: 0 };
            return { kind: 'known', job };
          },
          hurry: () => undefined,
          close: () => undefined,
        }),
      };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const deps = { poller, job: { fileIntervalMs: 0 } } as unknown as Parameters<typeof createWatchActivities>[0];
      const { activities } = stubs({
        ...createWatchActivities(deps),
        prepareAttempt: async ({ attempt }) => ({ name: 'x', directory, attempt }),
      });
      const run = 'wf-reasons';
      try {
        await withWorkers(activities, run, async (client) => {
          await (await startJobs(client, run, 2000)).result();
          const found = await lengths(client, run);
          console.log(`${looks} looks at a pending job, each with another reason: ${found.join(' + ')} events`);
          expect(looks).toBeGreaterThanOrEqual(10_000);
          expect(found).toHaveLength(1);
          expect(found[0]).toBeLessThan(60);
        });
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  );

  it(
    `is cut again and again by ${preemptions} preemptions, and each attempt is made once`,
    { timeout: 600_000 },
    async () => {
      let preempted = 0;
      const watched: string[] = [];
      const { activities, calls } = stubs({
        watchJob: async ({ known, attempt }) => {
          if (known.state === 'PENDING') return { ...ended, state: 'RUNNING', over: false };
          watched.push(attempt.name);
          return { ...ended, state: 'PREEMPTED' };
        },
        collectAttempt: async () => {
          if (preempted === preemptions) return completed;
          preempted += 1;
          return { ...completed, jobClass: 'preempted', slurmState: 'PREEMPTED', progress: 0, gpuHours: 0.5 };
        },
      });
      const run = 'wf-preempted';
      await withWorkers(activities, run, async (client) => {
        const handle = await startJobs(client, run, cutAt);
        const { jobs } = await handle.result();
        const found = await lengths(client, run);
        const total = found.reduce((sum, one) => sum + one, 0);
        console.log(
          `${preemptions} preemptions: ${total} events in ${found.length} histories (${found.join(', ')}), ${(total / preemptions).toFixed(1)} each`,
        );
        expect(jobs.map(({ attempt }) => attempt)).toEqual(
          Array.from({ length: preemptions + 1 }, (_, index) => index + 1),
        );
        for (const one of found) expect(one).toBeLessThan(cutAt + 100);
        expect(found.length).toBeGreaterThan(4);
        expect((await handle.describe()).searchAttributes).toMatchObject({ CriticRecipe: ['kept'] });
      });
      const submitted = calls.filter((call) => call.startsWith('submitJob'));
      expect(submitted).toEqual(Array.from({ length: preemptions + 1 }, (_, index) => `submitJob sft a${index + 1}`));
      expect(calls.filter((call) => call.startsWith('cancelJob'))).toEqual([]);
    },
  );
});

describe('a run that continues as new', () => {
  /** Watchers last; the first of each stage in `broken` is broken off by the cut. */
  const watching =
    (release: Promise<void>): Activities['watchJob'] =>
    async () => {
      await Promise.race([forever(), release]);
      return ended;
    };

  it(
    'takes open questions along under their ids, with jobs that run beside them, and submits nothing again',
    { timeout: 120_000 },
    async () => {
      const released = Promise.withResolvers<void>();
      const { activities, calls } = stubs({
        watchJob: async (input) => (input.stage === 'predict-base' ? watching(released.promise)(input) : ended),
        collectAttempt: async ({ order: { stage }, prepared: { attempt } }) =>
          stage === 'sft' && attempt < 3
            ? { ...completed, jobClass: 'bad-config', evidence: `exit 78, a${attempt}` }
            : completed,
      });
      const run = 'wf-cut-question';
      await withWorkers(activities, run, async (client) => {
        const handle = await start(client, run, {}, { historyEvents: 60 });
        const look = () => client.workflow.getHandle(run).query<RunView>('view');
        const continued = async () => (await histories(client, run)).length;
        const answered = async (action: string) =>
          client.workflow
            .getHandle(run)
            .executeUpdate('answer', { args: [{ stage: 'sft', action, question: 'sft-2' }] });
        await until(look, ({ questions }) => questions[0]?.id === 'sft-1');
        // Else the cut may come before the job beside it is watched for the first time.
        await until(async () => calls.includes('watchJob predict-base'), Boolean);
        await client.workflow
          .getHandle(run)
          .executeUpdate('answer', { args: [{ stage: 'sft', action: 'retry', timeLimitMinutes: 9 }] });
        const before = await until(look, ({ questions }) => questions[0]?.id === 'sft-2');
        await until(continued, (count) => count > 1);
        const after = await until(look, ({ questions }) => questions.length === 1);
        expect(after).toEqual(before);
        expect(after.status).toBe('waiting');
        expect((await handle.describe()).searchAttributes['CriticStatus']).toEqual(['waiting']);
        // What people were told before the cut is not told again after it: the notice has the id of the run's first part.
        const told = new Set<string>();
        const put = async ({ id }: Notice) => told.add(id);
        const observer = new RunObserver(client, { put, begun: async (now) => now });
        const asks = `run-${run}-${handle.firstExecutionRunId.slice(0, 8)}-asks-`;
        await until(
          async () => observer.look(new Date()).then(() => [...told].filter((id) => id.startsWith(`run-${run}-`))),
          (ids) => ids.length > 0 && ids.every((id) => id.startsWith(asks)),
        );
        await answered('retry');
        released.resolve();
        expect(await handle.result()).toMatchObject({ passed: true });
        await expect(answered('retry')).rejects.toThrow(/completed|not found/);
        console.log(`a question over a cut: ${(await lengths(client, run)).join(' + ')} events`);
      });
      expect(calls.filter((call) => call === 'submitJob predict-base a1')).toHaveLength(1);
      expect(calls.filter((call) => call === 'watchJob predict-base').length).toBeGreaterThan(1);
      expect(calls.filter((call) => call.startsWith('submitJob sft'))).toEqual(
        [1, 2, 3].map((n) => `submitJob sft a${n}`),
      );
      expect(calls.filter((call) => call.startsWith('cancelJob'))).toEqual([]);
      for (const once of [
        'checkDataset',
        'prepareRun',
        'estimateRun',
        'synthesizeCritiques',
        'lookUpArtifact predict-base',
      ]) {
        expect(calls.filter((call) => call === once)).toEqual([once]);
      }
    },
  );

  it(
    'still cancels its jobs when it is cancelled, or another stage is aborted, after the cut',
    { timeout: 120_000 },
    async () => {
      const runs = ['wf-cut-cancel', 'wf-cut-abort'];
      const { activities, calls } = stubs({
        watchJob: async ({ stage }) => (stage === 'predict-base' ? forever() : ended),
        collectAttempt: async ({ order: { stage } }) =>
          stage === 'sft' ? { ...completed, jobClass: 'bad-config', evidence: 'exit 78' } : completed,
      });
      await withWorkers(activities, runs, async (client) => {
        for (const run of runs) {
          const handle = await start(client, run, {}, { historyEvents: 50 });
          const latest = client.workflow.getHandle(run);
          await until(
            async () => (await histories(client, run)).length,
            (count) => count > 1,
          );
          await until(
            () => latest.query<RunView>('view'),
            ({ questions }) => questions.length === 1,
          );
          if (run === 'wf-cut-cancel') await latest.cancel();
          else await latest.executeUpdate('answer', { args: [{ stage: 'sft', action: 'abort' }] });
          await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
          expect(calls).toContain(`cancelJob critic-${run}-predict-base-a1`);
        }
      });
    },
  );
});
