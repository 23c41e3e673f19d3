/** The command on a real Temporal server: whole lives of runs, and what is said of those that there are not. */
import { type Client } from '@temporalio/client';
import { describe, expect, inject, it } from 'vitest';
import { startRun } from '../../cli/commands/run.ts';
import { connect } from '../../cli/connection.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { runId, taskQueues } from '../../domain/names.ts';
import { critic as command, type Ended } from '../cli/fakes.ts';
import { completed, plan, stubs, until, withWorkers } from './harness.ts';

const { recipe } = plan('unused');

/** Where no store is, and no record of a local stack. */
function critic(...argv: string[]): Promise<Ended> {
  return command(argv, undefined, { env: { CRITIC_TEMPORAL_ADDRESS: inject('temporalAddress') }, connect });
}

/** Starts a run as `critic run` does and returns once it asks about its SFT job. */
async function startWaiting(client: Client, now: Date): Promise<void> {
  const handle = client.workflow.getHandle(await startRun(client, { recipe }, now));
  await until(
    () => handle.query<RunView>('view'),
    ({ questions }) => questions.length > 0,
  );
}

describe('a run', () => {
  it('that asks, is answered and passes is watched to its end where no store is, and again when its worker is gone', async () => {
    let isMended = false;
    const { activities } = stubs({
      collectAttempt: async ({ order }) =>
        order.stage === 'sft' && !isMended ? { ...completed, jobClass: 'bad-data' } : completed,
    });
    const now = new Date('2026-11-23T20:00:00Z');
    const run = runId('test', now);
    await withWorkers(activities, run, async (client) => {
      await startWaiting(client, now);
      const watched = critic('watch', run, '--json');
      // The run's own validator refuses: this the command line cannot know. It tells the flag that was typed.
      const refused = await critic('answer', run, 'sft', 'retry', '--memory-factor', '2');
      expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/^critic: --memory-factor: .*\n$/) });
      isMended = true;
      expect(await critic('answer', run, 'sft', 'retry', '--question', 'sft-1')).toMatchObject({ code: 0, err: '' });
      const { code, out, err } = await watched;
      expect(err).toContain('The run waits for you (sft)');
      expect(JSON.parse(out)).toEqual({
        status: 'ended',
        run,
        passed: true,
        reasons: ['good'],
        mainScore: 0.5,
        report: '/store/report.html',
        summary: 'SRCC 0.7\n',
        reused: [],
      });
      expect(code).toBe(0);
      expect(await critic('cancel', run)).toMatchObject({
        code: 1,
        err: `critic: run ${run}: expected one that goes on, got one that has ended (COMPLETED); see "critic status ${run}"\n`,
      });
    });
    const { code, out } = await critic('watch', run);
    expect(code).toBe(0);
    expect(out).toMatch(/\nSRCC 0\.7\n\nGate: passed\n/);
    const listed = async (...filter: string[]) => (await critic('runs', ...filter)).out;
    await until(
      () => listed('--status', 'passed'),
      (text) => new RegExp(`^${run} +passed +0\\.500 `, 'm').test(text),
    );
    expect(JSON.parse(await listed('--recipe', 'test', '--since', '1d', '--json'))).toContainEqual(
      expect.objectContaining({ run, recipe: 'test', status: 'passed', score: 0.5, endedAt: expect.any(String) }),
    );
    expect(await listed('--recipe', 'another')).toBe('no such runs\n');
  });

  it('that is cancelled while it waits ends its watcher with 1', async () => {
    const { activities } = stubs({ collectAttempt: async () => ({ ...completed, jobClass: 'bad-data' }) });
    const now = new Date('2026-11-23T21:00:00Z');
    const run = runId('test', now);
    await withWorkers(activities, run, async (client) => {
      await startWaiting(client, now);
      const watched = critic('watch', run);
      expect(await critic('cancel', run)).toMatchObject({ code: 0, err: '' });
      const hint = `Go on from what it has saved with: npm run critic -- resume ${run}`;
      expect(await watched).toMatchObject({
        code: 1,
        err: `critic: ${run} was cancelled: Workflow canceled\n${hint}\n`,
      });
      const listed = async () => (await critic('runs', '--status', 'cancelled')).out;
      await until(listed, (text) => new RegExp(`^${run} +cancelled`, 'm').test(text));
    });
  });

  it('that is not there, and a workflow that is no run, are said to be so', async () => {
    const client = await connect({
      address: inject('temporalAddress'),
      namespace: 'default',
      cluster: undefined,
      ui: undefined,
    });
    const handle = await client.workflow.start('reapOrphans', {
      workflowId: 'commands-no-run',
      taskQueue: taskQueues.workflows,
    });
    for (const argv of [['watch'], ['cancel'], ['answer', 'sft', 'retry']]) {
      const [verb = '', ...rest] = argv;
      const absent = await critic(verb, 'commands-absent', ...rest);
      expect(absent).toMatchObject({ code: 1, out: '', err: expect.stringContaining('has no such run') });
      const foreign = await critic(verb, handle.workflowId, ...rest);
      expect(foreign).toMatchObject({ code: 1, err: expect.stringContaining('got a workflow of type reapOrphans') });
    }
    await handle.terminate('the test is over');
    await client.connection.close();
  });

  it('in a namespace that the server does not have is not looked for', async () => {
    const env = { CRITIC_TEMPORAL_ADDRESS: inject('temporalAddress'), CRITIC_TEMPORAL_NAMESPACE: 'nights' };
    expect(await command(['cancel', 'r'], undefined, { env, connect })).toMatchObject({
      code: 1,
      err: 'critic: CRITIC_TEMPORAL_NAMESPACE: expected a namespace that the server has, got "nights"\n',
    });
  });
});
