import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Proxy } from './proxy.ts';
import { accounted, counted, newRun, queued, Runs, settled, starts, story, until } from './runs.ts';
import { kill, startWorker } from './stack.ts';

const steps = ['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1'];
const whole = [...steps, 'end a1'];
/** A job that ends without its outcome file is looked up in Slurm when it is collected, and done again. */
const again = [...steps, 'start a2', 'step 1 a2', 'step 2 a2', 'step 3 a2', 'end a2'];

describe('a worker killed with -9', () => {
  const before = newRun('before-post');
  const after = newRun('after-post');
  const watching = newRun('watching');
  const collecting = newRun('collecting');
  let proxy: Proxy;
  let runs: Runs;

  beforeAll(async () => {
    proxy = await Proxy.open();
    runs = await Runs.connect();
    proxy.rule = async ({ method, path, body }) => {
      if (method === 'POST' && body.includes(before)) return 'hold-before';
      if (method === 'POST' && body.includes(after)) return 'hold-after';
      if (/\/job\/\d+$/.test(path) && (await runs.pending(collecting)).includes('sft-a1-collect')) return 'late';
      return 'pass';
    };
    proxy.lateMs = 600_000;
    await runs.start(watching, { steps: 40, stepSeconds: 1 });
    await until('the watched job runs', 60, () => counted(watching).length > 2);
    await runs.start(collecting, { sabotage: 'no-outcome' });
    await until('the third is being collected', 90, () => proxy.seen.some((one) => one.treatment === 'late'));
    await runs.start(before);
    await runs.start(after);
    await proxy.sees('hold-before');
    await proxy.sees('hold-after');
    await kill('worker');
    proxy.rule = () => 'pass';
    await startWorker();
  });

  afterAll(async () => {
    await runs.close();
    await proxy.close();
  });

  it.each([
    [
      'before the POST: the job is posted after a healthy minute without its name, and runs once',
      before,
      whole,
      ['COMPLETED'],
    ],
    ['between the POST and its record: the job is found by its name and runs once', after, whole, ['COMPLETED']],
    ['while collecting: the attempt is collected again and retried once', collecting, again, ['FAILED', 'COMPLETED']],
  ])('%s', async (_sentence, run, expected, states) => {
    const { artifacts } = await runs.client.workflow.getHandle(run).result();
    expect(artifacts).toHaveLength(1);
    expect(story(run)).toEqual(expected);
    await expect.poll(() => accounted(run), settled).toEqual(states);
    expect(await queued(run)).toEqual([]);
  });

  it('while watching: the same job is watched on to its end, every step is done once', async () => {
    await runs.client.workflow.getHandle(watching).result();
    expect(starts(watching)).toEqual(['start a1']);
    expect(story(watching)).toHaveLength(42);
    await expect.poll(() => accounted(watching), settled).toEqual(['COMPLETED']);
  });
});
