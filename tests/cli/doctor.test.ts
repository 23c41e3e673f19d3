/** `critic doctor`: its checks, and what its job is asked for. What the job finds is tested on a real Slurm. */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { doctorView } from '../../cli/commands/doctor.ts';
import { NoServer } from '../../cli/connection.ts';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../activities/fixtures.ts';
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

  it('counts the workers that live, by the server’s clock, and says which no longer ask', async () => {
    // A server whose clock is an hour behind this machine's.
    const now = Math.floor(Date.now() / 1000) - 3600;
    const at = (identity: string, ago: number) => ({ identity, lastAccessTime: { seconds: now - ago, nanos: 0 } });
    const server = healthy();
    let clock = '';
    const dead = (ago: number) => [at('dead', ago)];
    let workers = [...dead(140), at('alive', 3)];
    Object.assign(server.client, { withAbortSignal: (_signal: AbortSignal, work: () => unknown) => work() });
    Object.assign(server.client.workflowService, {
      pollWorkflowTaskQueue: async ({ identity }: { identity: string }) => void (clock = identity),
      describeTaskQueue: async ({ taskQueue: { name } }: { taskQueue: { name: string } }) => ({
        pollers: name === 'critic-clock' ? [at(clock, 0)] : workers,
      }),
    });
    const { code, out } = await critic(['doctor', '--no-job'], server);
    expect(code).toBe(0);
    expect(out.replaceAll(/\n +/g, ' ')).toContain(
      'workers           1 worker asks for work, last 3 s ago; 1 worker did until 140 s ago and is stopped or dead\n',
    );
    workers = dead(140);
    const ill = await critic(['doctor', '--no-job'], server);
    expect(ill.out.replaceAll(/\n +/g, ' ')).toMatch(/PROBLEM workers +1 worker asked for work, but none for 140 s;/);
    expect(ill.code).toBe(1);
  });

  it('looks at what it can where Temporal does not answer, and says what it did not look at', async () => {
    const root = await temporaryFolder();
    const key = join(root, 'key');
    await writeFile(key, 'secret', { mode: 0o644 });
    const slurm = createServer((_request, response) => response.writeHead(401).end());
    await new Promise<void>((resolve) => slurm.listen(0, '127.0.0.1', resolve));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const url = `http://127.0.0.1:${(slurm.address() as AddressInfo).port}`;
    const record = join(root, 'env.json');
    const settings = {
      CRITIC_TEMPORAL_ADDRESS: 'gone:7233',
      CRITIC_STORE: root,
      CRITIC_SLURM_URL: url,
      CRITIC_LLM_API_KEY_FILE: key,
    };
    await writeFile(record, JSON.stringify(settings));
    const connect = () => Promise.reject(new NoServer('expected a Temporal server at "gone:7233", got no answer'));
    const shell = { env: {}, localRecord: () => record, connect };
    const { code, out } = await critic(['doctor'], undefined, shell);
    expect(code).toBe(1);
    const lines = out.replaceAll(/\n +/g, ' ');
    expect(lines).toMatch(/^PROBLEM Temporal +expected a Temporal server at "gone:7233", got no answer$/m);
    expect(lines).toMatch(/^ok +store +".*" is there, \d+ GiB free$/m);
    expect(lines).toMatch(/^ok +slurmrestd +http:\S+ answers \(HTTP 401\); its token was not tried$/m);
    expect(lines).toMatch(/^PROBLEM teacher key +.*: expected mode 0600, got 0644; run: chmod 600/m);
    expect(lines).toMatch(
      /^-- +not looked at +search attributes, workers, nodes, .*; nor channels: this machine has no/m,
    );
    slurm.close();
    const json = doctorView.schema.parse(JSON.parse((await critic(['doctor', '--json'], undefined, shell)).out));
    expect(json.checks.find(({ what }) => what === 'slurmrestd')).toMatchObject({ state: 'problem' });
  });
});
