/** `critic doctor`: its checks, and what its job is asked for. What the job finds is tested on a real Slurm. */
import { doctorView } from '../../cli/commands/doctor.ts';
import { describe, expect, it } from 'vitest';
import { critic, fakeServer } from './fakes.ts';

describe('doctor', () => {
  const checks = [{ what: 'store', state: 'good', sentence: '"/store" can be written and read' }];
  const answering = (found: unknown = checks) => ({ type: 'caretaker', update: () => ({ checks: found }) });
  const healthy = (caretaker = answering()) =>
    fakeServer({
      'critic-caretaker': caretaker,
      examineCluster: { status: 'COMPLETED', result: () => [] },
    });

  it.each([
    [[], 1],
    [['--gpus', '8'], 8],
    [['--gpus', '8', '--cpus', '64'], 64],
  ])('with %j asks for %d CPUs of each node, at least one for each GPU', async (options, cpus) => {
    const server = healthy();
    expect((await critic(['doctor', ...options], server)).code).toBe(0);
    expect([...server.started.values()]).toEqual([[expect.objectContaining({ cpus })]]);
  });

  it('refuses fewer CPUs than GPUs, since srun would', async () => {
    const server = healthy();
    const { code, err } = await critic(['doctor', '--gpus', '8', '--cpus', '4'], server);
    expect({ code, err }).toEqual({ code: 1, err: 'critic: --cpus: expected at least 8, one for each GPU, got 4\n' });
    expect(server.started.size).toBe(0);
  });

  it('checks Temporal, workers and what the worker sees, without a job if asked', async () => {
    const server = healthy();
    const { code, out } = await critic(['doctor', '--no-job'], server);
    expect(code).toBe(0);
    expect(server.started.size).toBe(0);
    expect(out).toMatch(/^ok +Temporal +server 1\.31\.0, namespace default$/m);
    expect(out).toMatch(/^ok +search attributes +all \d+ are there$/m);
    expect(out).toMatch(/^ok +workers +1 worker asks for work$/m);
    expect(out).toMatch(/^ok +store +"\/store" can be written and read$/m);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const json = doctorView.schema.parse(JSON.parse((await critic(['doctor', '--no-job', '--json'], server)).out));
    expect(json).toMatchObject({ partitions: [], checks: [{ what: 'Temporal' }, {}, {}, { what: 'store' }] });
  });

  it('ends with 1 for a problem, and one that fails hides no other', async () => {
    const ill = healthy(answering([{ what: 'disk', state: 'problem', sentence: 'expected room, got 0 GiB free' }]));
    const { connection, workflowService } = ill.client;
    Object.assign(connection.operatorService, {
      listSearchAttributes: async () => ({ customAttributes: { CriticRun: 1 } }),
    });
    Object.assign(workflowService, {
      getSystemInfo: () => Promise.reject(new Error('no such method')),
      describeTaskQueue: async ({ taskQueue: { name } }: { taskQueue: { name: string } }) => ({
        pollers: name === 'critic' ? [{ identity: 'worker-1' }] : [],
      }),
    });
    const { code, out } = await critic(['doctor', '--no-job'], ill);
    expect(code).toBe(1);
    expect(out).toMatch(/^PROBLEM Temporal +no such method$/m);
    expect(out).toMatch(/^PROBLEM search attributes CriticStatus: expected type KEYWORD, got none; run:$/m);
    expect(out).toMatch(/^PROBLEM workers +expected a worker at each queue, got none at$/m);
    expect(out).toMatch(/^PROBLEM disk +expected room, got 0 GiB free$/m);
  });

  it('says that no worker answers', async () => {
    const { code, out } = await critic(['doctor', '--no-job'], fakeServer({}));
    expect(code).toBe(1);
    expect(out).toMatch(/^PROBLEM worker +nobody answers/m);
  });
});
