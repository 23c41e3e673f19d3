import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fixture } from './fixture.ts';
import { accounted, newRun, queued, runningJob, settled, starts, story, until } from './runs.ts';
import { kill, launch, reconfigure, signal, slurm, startWorker, stopWorker, writeToken } from './stack.ts';

const { proxy, runs } = ((stand) => ({ proxy: () => stand.proxy, runs: () => stand.runs }))(fixture());
const once = ['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1', 'end a1'];
const long = { steps: 40, stepSeconds: 0.5 };
const longOnce = ['start a1', ...Array.from({ length: 40 }, (_, i) => `step ${i + 1} a1`), 'end a1'];

/** What a run left: the jobs' own lines, what is queued, what slurmdbd has. */
async function end(run: string) {
  await runs().client.workflow.getHandle(run).result();
  // slurmctld buffers what it tells slurmdbd: an empty list is no answer.
  await until('slurmdbd has it', 60, async () => {
    const states = await accounted(run);
    return states.length > 0 && states.every((state) => state === 'COMPLETED');
  });
  return { story: story(run), queued: await queued(run), jobs: await accounted(run) };
}

const ran = (lines: string[]) => ({ story: lines, queued: [], jobs: ['COMPLETED'] });

describe('a Slurm that fails', () => {
  it('slurmctld stands still at the submission: the answer is 5004, the job appears later, is adopted and runs once', async () => {
    const run = newRun('frozen');
    signal('slurmctld', 'SIGSTOP');
    await runs().start(run);
    const post = await until('the answer to the submission', 60, () =>
      proxy().seen.find((one) => one.method === 'POST' && one.answers.length > 0),
    );
    expect(post.answers[0]).toContain('5004');
    expect(starts(run)).toEqual([]);
    signal('slurmctld', 'SIGCONT');
    expect(await end(run)).toEqual(ran(once));
    expect(proxy().seen.filter((one) => one.method === 'POST')).toHaveLength(1);
    expect((await runs().view(run)).stages.find((one) => one.stage === 'sft')?.note).not.toContain('attempt 2');
  });

  it('slurmrestd is dead for a while and started again: the job is watched on, a second one submitted once', async () => {
    const [watched, submitted] = [newRun('rest-watched'), newRun('rest-submitted')];
    await runs().start(watched, long);
    await runningJob(watched);
    await kill('slurmrestd');
    await runs().start(submitted);
    await sleep(10_000);
    await launch('slurmrestd');
    expect(await end(watched)).toEqual(ran(longOnce));
    expect(await end(submitted)).toEqual(ran(once));
  });

  it('slurmdbd is dead: the job runs and is collected all the same', async () => {
    const run = newRun('dbd');
    await kill('slurmdbd');
    await runs().start(run);
    await runs().client.workflow.getHandle(run).result();
    expect(story(run)).toEqual(once);
    await launch('slurmdbd');
  });

  it('the token expires in mid-run: the job is unknown, not failed, and goes on with a new token', async () => {
    const run = newRun('token');
    await writeToken(10);
    await runs().start(run, long);
    await until('the job has ended', 90, () => story(run).at(-1) === 'end a1');
    await sleep(3_000);
    await writeToken(86_400);
    expect(await end(run)).toEqual(ran(longOnce));
  });

  it('jobs are purged from slurmctld before the first poll: their own files or slurmdbd tell how they ended, at once', async () => {
    const [run, mute] = [newRun('purged'), newRun('purged-mute')];
    await reconfigure({ MinJobAge: '2' });
    await runs().start(run, { steps: 10, stepSeconds: 0.5 });
    await runs().start(mute, { steps: 10, stepSeconds: 0.5, sabotage: 'no-outcome' });
    const ids = [await runningJob(run), await runningJob(mute)];
    await stopWorker();
    const gone = (id: string) =>
      slurm('scontrol', 'show', 'job', id).then(
        () => false,
        () => true,
      );
    for (const id of ids) await until(`slurmctld has forgotten job ${id}`, 240, () => gone(id));
    await startWorker();
    // Without slurmdbd's word the second would count as lost after five minutes.
    await until('the one without an outcome is tried again', 120, () => starts(mute).length === 2);
    for (const one of [run, mute]) await runs().client.workflow.getHandle(one).result();
    await reconfigure({ MinJobAge: '300' });
    expect(starts(run)).toEqual(['start a1']);
    expect(starts(mute)).toEqual(['start a1', 'start a2']);
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
    await expect.poll(() => accounted(mute), settled).toEqual(['FAILED', 'COMPLETED']);
  });
});

describe('a Temporal that fails', () => {
  it('the Temporal server is killed and started again in mid-run: the run goes on, the job runs once', async () => {
    const run = newRun('temporal');
    await runs().start(run, long);
    await runningJob(run);
    await kill('temporal');
    await sleep(5_000);
    await launch('temporal');
    await until('the run is there again', 60, () => runs().view(run));
    expect(await end(run)).toEqual(ran(longOnce));
  });
});
