/** What verbs say while no worker answers: one sentence, soon, and nothing is begun. */
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { checkNights } from '../../cli/commands/schedule/check.ts';
import { updated, whenLate, whileWorkersAsk } from '../../cli/workers.ts';
import { critic, type FakeServer, fakeServer } from './fakes.ts';
import { aNight } from '../domain/night-fixture.ts';

const caretaker = {
  'critic-caretaker': { type: 'caretaker', update: () => ({ champions: [] }) },
  'demo-20261128-190000': {},
};

/** What Temporal says of the pollers of each queue. */
function polled(server: FakeServer, pollers: () => unknown[]): FakeServer {
  Object.assign(server.client.workflowService, { describeTaskQueue: async () => ({ pollers: pollers() }) });
  return server;
}

describe('without a worker', () => {
  it.each([
    ['champion', 'show'],
    ['checkpoints', 'demo-20261128-190000'],
    ['artifacts', 'ls'],
    ['notices', 'ls'],
    ['artifacts', 'gc', '--apply'],
    ['score', '--champion', 'demo', '--input', 'p.csv'],
    ['pause', 'demo-20261128-190000'],
    ['answer', 'demo-20261128-190000', 'grpo', 'retry'],
    ['plan', 'recipes/demo.yaml', '--dataset', 'recipes'],
  ])('critic %s %s says so, and asks nothing', async (...argv) => {
    const server = polled(fakeServer(caretaker), () => []);
    const { code, err } = await critic(argv, server);
    expect({ code, err: err.replace(/\(.*\)/, '(…)') }).toEqual({
      code: 1,
      err: 'critic: nobody answers: no worker asks this Temporal server for work; nothing was done; start one (…)\n',
    });
    expect(server.calls).toEqual(['close']);
    expect(server.started.size).toBe(0);
  });

  it.each([
    [['champion', 'show'], ' looks at workers'],
    [['artifacts', 'unpin', '29ba4ae6a743'], ' looks at workers. It may still be unpinned .*"critic artifacts pin" .*'],
    [['pause', 'demo-1'], ' looks at workers. The run may still take it .*"critic unpause demo-1" .*'],
    [['answer', 'demo-1', 'grpo', 'retry'], ' looks at workers. The run may .*"critic pause demo-1" then stops .*'],
    [['answer', 'demo-1', 'grpo', 'abort'], ' looks at workers. The run may .*"critic resume demo-1" then goes on .*'],
    [['answer', 'demo-1', 'predict-sft', 'skip'], ' looks at workers. The run may .*"critic rerun demo-1 --from .*'],
  ])(
    'that died lately, %j is given two chances under one id, then says what may still become of it',
    async (argv, end) => {
      const server = fakeServer({ ...caretaker, 'demo-1': {} });
      const ids: unknown[] = [];
      const { workflow } = server.client;
      const getHandle = workflow.getHandle.bind(workflow);
      const startUpdate = async (_name: string, { updateId }: { updateId: string }) => {
        ids.push(updateId);
        throw new WorkflowUpdateRPCTimeoutOrCancelledError('DEADLINE_EXCEEDED');
      };
      Object.assign(server.client.workflow, { getHandle: (id: string) => ({ ...getHandle(id), startUpdate }) });
      const { code, err } = await critic(argv, server);
      expect(code).toBe(1);
      expect(err).toMatch(new RegExp(`^critic: nobody answers: [^.]*${end}\\n$`));
      expect(ids).toHaveLength(2);
      expect(new Set(ids).size).toBe(1);
    },
  );

  it('that died lately, doctor does not send to doctor', async () => {
    const server = fakeServer(caretaker);
    const { workflow } = server.client;
    const getHandle = workflow.getHandle.bind(workflow);
    const startUpdate = async () => Promise.reject(new WorkflowUpdateRPCTimeoutOrCancelledError('DEADLINE_EXCEEDED'));
    Object.assign(server.client.workflow, { getHandle: (id: string) => ({ ...getHandle(id), startUpdate }) });
    const { code, out } = await critic(['doctor', '--no-job'], server);
    expect(code).toBe(1);
    expect(out).toMatch(/^PROBLEM worker +nobody answers: the worker that asked for work last$/m);
    expect(out).not.toContain('critic doctor');
  });

  it.each([
    ['by its type', ApplicationFailure.nonRetryable('no inquiry "champions"', 'InquiryUnknown')],
    ['of an older release, by its words', new Error('inquiry: expected one of plan, notices, got "champions"')],
  ])('of this release, an inquiry that the worker does not know says so: %s', async (_how, cause) => {
    const server = fakeServer({ 'critic-caretaker': { type: 'caretaker' } });
    const { workflow } = server.client;
    const getHandle = workflow.getHandle.bind(workflow);
    const result = async () => Promise.reject(new WorkflowUpdateFailedError('refused', cause));
    const startUpdate = async () => ({ result });
    Object.assign(server.client.workflow, { getHandle: (id: string) => ({ ...getHandle(id), startUpdate }) });
    const { code, err } = await critic(['champion', 'show'], server);
    expect(code).toBe(1);
    expect(err).toMatch(/^critic: the worker is of another release: it does not know "champions"; start the worker/);
  });

  it('doctor prints its own checks, asks no worker and submits no job', async () => {
    const server = polled(fakeServer(caretaker), () => []);
    const { code, out } = await critic(['doctor'], server);
    expect(code).toBe(1);
    expect(out).toMatch(/^ok +Temporal/m);
    expect(out).toMatch(/^PROBLEM worker +nobody answers/m);
    expect(out).toMatch(/^No job looks at nodes, since no worker answers\.$/m);
    expect(server.calls).toEqual(['close']);
    expect(server.started.size).toBe(0);
  });
});

it('a worker of another release is thought of where its reply cannot be read', async () => {
  const server = fakeServer({ 'critic-caretaker': { type: 'caretaker', update: () => ({ champions: 7 }) } });
  expect((await critic(['champion', 'show'], server)).err).toMatch(
    /^critic: the worker gave a reply to "champions" .*: reply\.champions: .*; if it is of another release: start the worker/,
  );
});

describe('doctor, of workers that Temporal remembers', () => {
  const lineOf = async (secondsAgo: number) => {
    const seconds = Math.floor(Date.now() / 1000) - secondsAgo;
    const pollers = [
      { identity: 'old', lastAccessTime: { seconds: seconds - 100, nanos: 0 } },
      { identity: 'new', lastAccessTime: { seconds, nanos: 5 } },
    ];
    const { out } = await critic(
      ['doctor', '--no-job'],
      polled(fakeServer({}), () => pollers),
    );
    return out.replaceAll(/\s+/g, ' ');
  };

  it('tells when one asked last, and calls silence of more than a minute a problem', async () => {
    expect(await lineOf(20)).toMatch(/ok workers 1 worker asks for work, last 2[0-3] s ago/);
    expect(await lineOf(-3)).toMatch(/ok workers 1 worker asks for work, last 0 s ago; 1 worker did until/);
    expect(await lineOf(90)).toMatch(/PROBLEM workers 2 workers asked for work, but none for 9[0-3] s;/);
  });
});

describe('doctor', () => {
  it('prints each check before it knows the next one', async () => {
    const server = fakeServer({
      'critic-caretaker': { type: 'caretaker', update: () => new Promise(() => undefined) },
    });
    const stdout = new PassThrough();
    let out = '';
    stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    void critic(['doctor', '--no-job'], server, { stdout });
    await expect.poll(() => out).toMatch(/^ok +workers /m);
    expect(out).not.toMatch(/worker +nobody/);
  });
});

describe('an answer that takes its time', () => {
  it('is told of once, and only then', async () => {
    let late = 0;
    expect(await whenLate(Promise.resolve('at once'), 20, () => (late += 1))).toBe('at once');
    await sleep(40);
    expect(late).toBe(0);
    expect(await whenLate(sleep(60, 'late'), 20, () => (late += 1))).toBe('late');
    expect(late).toBe(1);
  });

  it('of an inquiry is told of on stderr after three seconds', async () => {
    const server = fakeServer(caretaker);
    Object.assign(server.client.workflow, {
      getHandle: () => ({ startUpdate: async () => sleep(3_300, { result: async () => ({ champions: [] }) }) }),
    });
    const { code, err } = await critic(['champion', 'show'], server);
    expect({ code, err }).toEqual({ code: 0, err: 'waiting for a worker …\n' });
  });
});

describe('a worker that is waited for', () => {
  const patience = { lookMs: 5, silentMs: 60 };
  const never = new Promise<never>(() => undefined);

  it('is given up when no worker has asked for a while', async () => {
    const server = polled(fakeServer({}), () => [{ identity: 'dead', lastAccessTime: { seconds: 7, nanos: 0 } }]);
    await expect(whileWorkersAsk(server.client, undefined, never, patience)).rejects.toThrow(
      'no worker has asked for work for',
    );
  });

  it('and has accepted a request may still do it: what then is said', async () => {
    const server = polled(fakeServer({}), () => [{ identity: 'dead', lastAccessTime: { seconds: 7, nanos: 0 } }]);
    const handle = { startUpdate: async () => ({ result: async () => never }) };
    const request = { name: 'inquire', arg: {}, late: 'It may still be sent' };
    await expect(updated(server.client, { handle, cluster: undefined }, request, patience)).rejects.toThrow(
      /^nobody answers: no worker has asked for work for .*\. It may still be sent$/,
    );
    const question = { ...request, late: undefined };
    await expect(updated(server.client, { handle, cluster: undefined }, question, patience)).rejects.toThrow(
      /a local stack\)$/,
    );
  });

  it('is waited for as long as it asks', async () => {
    let asked = 0;
    const server = polled(fakeServer({}), () => [{ identity: 'alive', lastAccessTime: { seconds: (asked += 1) } }]);
    const work = sleep(300, 'done');
    expect(await whileWorkersAsk(server.client, undefined, work, patience)).toBe('done');
    expect(asked).toBeGreaterThan(10);
  });
});

describe('schedule apply', () => {
  it('refuses what the worker does not find, and only warns where none answers', async () => {
    const night = aNight({ name: 'smoke' });
    const warned: string[] = [];
    const warn = (sentence: string) => void warned.push(sentence);
    const update = () => ({ faults: ['tell.0: expected one of mail, got "people"'] });
    const found = fakeServer({ 'critic-caretaker': { type: 'caretaker', update } });
    await expect(checkNights(found.client, [night], warn)).rejects.toThrow(
      /^night "smoke": tell\.0: .*\nNothing was changed; --unchecked/,
    );
    expect(warned).toEqual([]);
    await checkNights(polled(fakeServer(caretaker), () => []).client, [night], warn);
    expect(warned).toEqual([expect.stringMatching(/^night "smoke": .* were not looked at, since nobody answers/)]);
  });
});
