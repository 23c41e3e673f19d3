import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture } from './fixture.ts';
import {
  accounted,
  attemptFolder,
  doneSteps,
  newRun,
  queued,
  runningJob,
  type Runs,
  settled,
  starts,
  story,
  until,
  type Wish,
} from './runs.ts';
import { slurm } from './stack.ts';

const stand = fixture();
const { long }: { long: Wish } = { long: { steps: 12, stepSeconds: 1, checkpoints: true } };

async function result(run: string): Promise<void> {
  await stand.runs.client.workflow.getHandle(run).result();
}

async function reaches(run: string, step: number): Promise<string> {
  await until(`step ${step} of ${run}`, 90, () => doneSteps(run).includes(step));
  return runningJob(run);
}

describe('jobs that end badly', () => {
  it('its node goes down: a new attempt resumes from the newest checkpoint, nothing of the first is left', async () => {
    const run = newRun('node-down');
    await stand.runs.start(run, long);
    const id = await reaches(run, 3);
    const node = await slurm('squeue', '-h', '-j', id, '-o', '%N');
    await slurm('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=fault');
    await until('a second attempt starts', 120, () => starts(run).length === 2);
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(
      doneSteps(run)
        .toSorted((a, b) => a - b)
        .filter((step, i, all) => step !== all[i - 1]),
    ).toHaveLength(12);
    expect(doneSteps(run).length).toBeLessThanOrEqual(13);
    expect(await queued(run)).toEqual([]);
  });

  it('its node goes down, and an admin had let Slurm requeue it: Slurm does not run it again, a new attempt resumes', async () => {
    const run = newRun('node-requeue');
    await stand.runs.start(run, long);
    const id = await reaches(run, 3);
    await slurm('scontrol', 'update', `jobid=${id}`, 'requeue=1');
    const node = await slurm('squeue', '-h', '-j', id, '-o', '%N');
    await slurm('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=fault');
    await until('Slurm has put it back', 60, async () => /Restarts=1/.test(await slurm('scontrol', 'show', 'job', id)));
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(new Set(doneSteps(run)).size).toBe(12);
    expect(doneSteps(run).length).toBeLessThanOrEqual(13);
    expect(await queued(run)).toEqual([]);
  });

  it('an admin requeues it: no second job does the same work, nothing beyond the last checkpoint is lost', async () => {
    const run = newRun('requeued');
    await stand.runs.start(run, long);
    const id = await reaches(run, 3);
    await slurm('scontrol', 'update', `jobid=${id}`, 'requeue=1');
    await slurm('scontrol', 'requeue', id);
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(doneSteps(run).length).toBeLessThanOrEqual(13);
    expect(await queued(run)).toEqual([]);
  });

  it('an admin cancels it: the run waits and says so; told to retry, it resumes from the checkpoint', async () => {
    const run = newRun('scancelled');
    await stand.runs.start(run, long);
    await slurm('scancel', await reaches(run, 3));
    expect(await stand.runs.question(run)).toContain('somebody cancelled the job');
    expect(starts(run)).toEqual(['start a1']);
    await stand.runs.answer(run, 'retry');
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(doneSteps(run)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].filter((step) => doneSteps(run).includes(step)),
    );
  });

  it('runs into its time limit all the same: the next attempt resumes from the checkpoint, each step is done once', async () => {
    const run = newRun('time-limit');
    const resources = { time_limit_minutes: 1 };
    await stand.runs.start(run, { steps: 100, stepSeconds: 1, checkpoints: true, deaf: true, resources });
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(doneSteps(run)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('its time limit is ahead: it checkpoints in time, and the next attempt goes on from there, no step lost', async () => {
    const run = newRun('limit-ahead');
    const resources = { time_limit_minutes: 1 };
    await stand.runs.start(run, { steps: 45, stepSeconds: 1, watch: { checkpoint_seconds: 25 }, resources });
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(story(run)).toContain('checkpointed a1');
    expect(doneSteps(run)).toEqual(Array.from({ length: 45 }, (_, i) => i + 1));
    await expect.poll(async () => (await accounted(run)).toSorted(), settled).toEqual(['COMPLETED', 'FAILED']);
  });

  it('gets stuck: its stacks are kept, it is ended, and it goes on on another node from its checkpoint', async () => {
    const run = newRun('stuck');
    await stand.runs.start(run, {
      steps: 6,
      stepSeconds: 0.5,
      checkpoints: true,
      sabotage: 'stall',
      watch: { stall_factor: 3, stall_seconds: 5 },
    });
    const id = await runningJob(run);
    const node = await slurm('squeue', '-h', '-j', id, '-o', '%N');
    await result(run);
    expect(readFileSync(join(attemptFolder(run), 'stacks.txt'), 'utf8')).toContain('in get_stuck');
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(doneSteps(run)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await queued(run)).toEqual([]);
    const next = await slurm(
      'sacct',
      '-X',
      '-n',
      '-P',
      '-S',
      'now-1hours',
      `--name=critic-${run}-sft-a2`,
      '-o',
      'NodeList',
    );
    expect(next).not.toBe(node);
  });

  it('is held: the run says that it is held and how to release it, and goes on once it is released', async () => {
    const run = newRun('held');
    await slurm('scontrol', 'update', 'partitionname=a100', 'state=down');
    await stand.runs.start(run);
    const id = await until('the job is pending', 60, async () => (await queued(run))[0]?.id);
    await slurm('scontrol', 'hold', id);
    await slurm('scontrol', 'update', 'partitionname=a100', 'state=up');
    const note = () => stand.runs.view(run).then((view) => view.stages.find((one) => one.stage === 'sft')?.note);
    await expect.poll(note, settled).toContain('the job is held: release it with "scontrol release"');
    expect((await stand.runs.view(run)).status).toBe('waiting');
    await slurm('scontrol', 'release', id);
    await result(run);
    expect(starts(run)).toEqual(['start a1']);
  });

  it('asks for more time than the partition gives: the run says so instead of waiting for ever, and goes on once that is mended', async () => {
    const run = newRun('limit');
    await slurm('scontrol', 'update', 'partitionname=a100', 'MaxTime=1');
    await stand.runs.start(run);
    const note = () => stand.runs.view(run).then((view) => view.stages.find((one) => one.stage === 'sft')?.note);
    await expect.poll(note, settled).toContain('the partition does not take it');
    expect((await stand.runs.view(run)).status).toBe('waiting');
    await slurm('scontrol', 'update', 'partitionname=a100', 'MaxTime=UNLIMITED');
    await result(run);
    expect(starts(run)).toEqual(['start a1']);
  });

  it('the submission is refused: the run waits and says what Slurm said, instead of asking again for ever', async () => {
    const run = newRun('refused');
    await stand.runs.start(run, { resources: { partition: 'h100' } });
    expect(await stand.runs.question(run, 60)).toMatch(/partition/i);
    expect(starts(run)).toEqual([]);
    await stand.runs.answer(run, 'abort');
    expect(stand.proxy.seen.filter((one) => one.method === 'POST')).toHaveLength(1);
  });

  it.each([
    ['leaves no outcome file', 'no-outcome'],
    ['leaves half an outcome file', 'truncated-outcome'],
    ['leaves the outcome of another job, exit 0 and all', 'lying-outcome'],
    ['says exit 0 and did half of the steps', 'half-done'],
  ] as const)('%s: the attempt does not count as done, the next one does it', async (_sentence, sabotage) => {
    const run = newRun(sabotage);
    await stand.runs.start(run, { sabotage });
    await result(run);
    expect(starts(run)).toEqual(['start a1', 'start a2']);
    expect(story(run).at(-1)).toBe('end a2');
  });

  it('slurmrestd gets the submission twice: both jobs stand, one runs, and the run is done', async () => {
    const run = newRun('twice');
    stand.proxy.rule = ({ method }) => (method === 'POST' ? 'twice' : 'pass');
    await stand.runs.start(run);
    await stand.proxy.sees('twice', 240);
    await result(run);
    expect(story(run)).toEqual(['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1', 'end a1']);
    await expect.poll(() => accounted(run), settled).toHaveLength(2);
    await expect.poll(() => queued(run), settled).toEqual([]);
    expect(existsSync(join(attemptFolder(run), 'outcome.json'))).toBe(true);
  });
});

describe('runs that end early', () => {
  it('the run is cancelled: its job is cancelled, none is left', async () => {
    const run = newRun('cancelled');
    const handle = await stand.runs.start(run, { ...long, steps: 100 });
    await reaches(run, 2);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
    expect(await queued(run)).toEqual([]);
    expect(starts(run)).toEqual(['start a1']);
  });

  it('the run is cancelled while its submission is not answered: the job that appears is cancelled too', async () => {
    const run = newRun('cancelled-early');
    stand.proxy.rule = ({ method }) => (method === 'POST' ? 'hold-after' : 'pass');
    const handle = await stand.runs.start(run, { ...long, steps: 100 });
    await stand.proxy.sees('hold-after');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
    expect(await queued(run)).toEqual([]);
  });

  it('the run is cancelled, and its submission reaches slurmrestd only afterwards: the late job does nothing', async () => {
    const run = newRun('cancelled-late');
    stand.proxy.lateMs = 50_000; // the client waits for 45 s
    stand.proxy.rule = ({ method }) => (method === 'POST' ? 'late' : 'pass');
    const handle = await stand.runs.start(run, { ...long, steps: 100 });
    await stand.proxy.sees('late');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
    expect(await queued(run)).toEqual([]);
    await expect.poll(() => accounted(run), settled).toHaveLength(1);
    expect(starts(run)).toEqual([]);
  });

  it('the run is terminated, which runs no code: the reaper finds its job and cancels it, and no other', async () => {
    const [run, other] = [newRun('terminated'), newRun('bystander')];
    const handle = await stand.runs.start(run, { ...long, steps: 300 });
    await stand.runs.start(other, { steps: 30, stepSeconds: 1 });
    await reaches(run, 2);
    await handle.terminate('fault test');
    await until('no job is left', 60, async () => (await queued(run)).length === 0);
    expect(starts(run)).toEqual(['start a1']);
    expect(doneSteps(run).length).toBeLessThan(60);
    await result(other);
    expect(starts(other)).toEqual(['start a1']);
  });

  it('the run is reset to before its submission: the job that runs is adopted, not submitted twice', async () => {
    const run = newRun('reset');
    const handle = await stand.runs.start(run, long);
    await reaches(run, 2);
    await resetBefore(stand.runs, run, 'submitJob');
    await result(run);
    expect(starts(run)).toEqual(['start a1']);
    expect(doneSteps(run)).toHaveLength(12);
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
    expect(handle.workflowId).toBe(run);
  });
});

/** Resets a run to the workflow task that scheduled this activity, as an operator does in the UI. */
async function resetBefore(runs: Runs, run: string, activity: string): Promise<void> {
  const { events } = await runs.client.workflow.getHandle(run).fetchHistory();
  const scheduled = events?.find((one) => one.activityTaskScheduledEventAttributes?.activityType?.name === activity);
  const task = scheduled?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId;
  if (task === undefined || task === null) throw new Error(`run ${run} has not scheduled ${activity}`);
  await runs.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: run },
    workflowTaskFinishEventId: task,
    requestId: `reset-${run}`,
    reason: 'fault test',
  });
}
