/** Faults of what is said about a job: answers that are cut, come too late, or speak of somebody else's job. */
import { describe, expect, it } from 'vitest';
import { fixture } from './fixture.ts';
import { accounted, newRun, otherNode, queued, runningJob, settled, starts, story, until } from './runs.ts';
import { users } from '../../infra/local/stack-config.ts';
import { appendToSlurmConf, loseState, signal, slurm, startWorker, stopWorker } from './stack.ts';

const stand = fixture();
const once = ['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1', 'end a1'];

async function result(run: string): Promise<void> {
  await stand.runs.client.workflow.getHandle(run).result();
}

const posts = () => stand.proxy.seen.filter((one) => one.method === 'POST');

describe('answers', () => {
  it('the answer to the submission is cut in the middle: the job is found by its name and runs once', async () => {
    const run = newRun('cut-post');
    stand.proxy.rule = ({ method }) => (method === 'POST' ? 'truncate' : 'pass');
    await stand.runs.start(run);
    await result(run);
    expect(story(run)).toEqual(once);
    expect(posts()).toHaveLength(1);
    await expect.poll(() => accounted(run), settled).toHaveLength(1);
  });

  it('every answer to the watcher is cut in the middle: the job is unknown, not failed, and is done all the same', async () => {
    const run = newRun('cut-get');
    await stand.runs.start(run, { steps: 20, stepSeconds: 0.5 });
    await runningJob(run);
    stand.proxy.rule = ({ method }) => (method === 'GET' ? 'truncate' : 'pass');
    await result(run);
    stand.proxy.rule = () => 'pass';
    expect(starts(run)).toEqual(['start a1']);
    expect(story(run).at(-1)).toBe('end a1');
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
  });

  it('the submission reaches slurmrestd after its sender has given up: the late job is found and runs once', async () => {
    const run = newRun('late-post');
    stand.proxy.lateMs = 60_000; // the client waits for 45 s
    stand.proxy.rule = ({ method }) => (method === 'POST' ? 'late' : 'pass');
    await stand.runs.start(run);
    await result(run);
    expect(story(run)).toEqual(once);
    expect(posts()).toHaveLength(1);
    await expect.poll(() => accounted(run), settled).toEqual(['COMPLETED']);
  });
});

const resources = ['-D', '/tmp', '-o', '/dev/null', '--wrap', 'sleep 600'];

describe("somebody else's job", () => {
  it('has the name of our attempt: it is not adopted, ours is submitted and runs once', async () => {
    const run = newRun('namesake');
    const foreign = await slurm('sbatch', '--parsable', '--hold', '-J', `critic-${run}-sft-a1`, ...resources);
    let sent = 0;
    stand.proxy.rule = ({ method }) => {
      if (method === 'POST') sent += 1;
      return method === 'POST' && sent === 1 ? 'drop-before' : 'pass';
    };
    await stand.runs.start(run);
    await result(run);
    expect(story(run)).toEqual(once);
    expect((await queued(run)).map(({ id }) => id)).toEqual([foreign]);
    await slurm('scancel', foreign);
  });

  it('has the id that was ours before slurmctld lost its state: cancelling our run leaves it alone', async () => {
    const run = newRun('cancel-reused');
    const handle = await stand.runs.start(run, { steps: 300, stepSeconds: 1 });
    const id = await runningJob(run);
    const where = ['-w', await otherNode(id)];
    stand.proxy.rule = () => 'drop-before';
    await handle.cancel();
    await loseState(Number(id));
    try {
      const foreign = await slurm(
        'sbatch',
        '--parsable',
        `--uid=${users.job}`,
        '-J',
        'foreign',
        ...where,
        ...resources,
      );
      expect(foreign).toBe(id);
      const look = () => slurm('squeue', '-h', '-j', foreign, '-o', '%j %T');
      await until('it runs', 60, async () => (await look()) === 'foreign RUNNING');
      stand.proxy.rule = () => 'pass';
      await expect(handle.result()).rejects.toThrow('cancelled');
      expect(await look()).toBe('foreign RUNNING');
      await slurm('scancel', foreign);
      // A slurmctld that is killed before it is gone takes it up again.
      await until('it is gone', 60, async () => (await look()) === '');
    } finally {
      await appendToSlurmConf([]);
    }
  });
});

describe('two workers', () => {
  it('one stands still with its submission on the way, the other submits: the late one meets the claim', async () => {
    const run = newRun('two-workers');
    const gate = Promise.withResolvers<'pass'>();
    let sent = 0;
    stand.proxy.rule = ({ method }) => {
      if (method !== 'POST') return 'pass';
      sent += 1;
      return sent === 1 ? gate.promise : 'pass';
    };
    await stand.runs.start(run, { steps: 40, stepSeconds: 0.5 });
    await until('the first submission is on its way', 60, () => sent === 1);
    signal('worker', 'SIGSTOP');
    await startWorker('worker-b');
    try {
      // The heartbeat timeout of a submission is two minutes, and a healthy minute must deny the name.
      await until('the other worker has submitted', 300, () => starts(run).length === 1);
      gate.resolve('pass');
      await until('both jobs stand in Slurm', 60, async () => (await queued(run)).length === 2);
      signal('worker', 'SIGCONT');
      await result(run);
      expect(starts(run)).toEqual(['start a1']);
      expect(story(run)).toHaveLength(42);
      await expect.poll(() => queued(run), settled).toEqual([]);
    } finally {
      signal('worker', 'SIGCONT');
      await stopWorker('worker-b');
    }
  });
});
