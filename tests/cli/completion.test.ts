/** Completion of names: from a server, in time, and without a word where there is none. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Shell } from '../../cli/shell.ts';
import { critic, fakeServer, type FakeServer } from './fakes.ts';

const run = 'demo-20261128-190000';
/** Something that listens: that nobody does is seen before Temporal's client is asked. */
let listening: Server;
const sockets: Socket[] = [];
beforeEach(async () => {
  listening = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  listening.close();
});

/** What a shell gets. The library writes to the process's own stdout; the last line is for the shell's script. */
async function completed(words: string[], server: FakeServer | undefined, shell: Partial<Shell> = {}) {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { port } = listening.address() as AddressInfo;
    const env = { CRITIC_TEMPORAL_ADDRESS: `127.0.0.1:${port}` };
    const { code, out, err } = await critic(['complete', '--', ...words], server, { env, ...shell });
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: '' });
    return log.mock.calls.map((call) => call.join(' ')).filter((line) => !line.startsWith(':'));
  } finally {
    log.mockRestore();
  }
}

const server = () => {
  const champion = {
    name: 'demo',
    version: 1,
    run,
    mainScore: null,
    key: 'k',
    path: '/x',
    decidedAt: '',
    reference: 1,
    by: null,
    reasons: [],
  };
  const artifact = { stage: 'sft', key: 'a'.repeat(32), run, madeAt: '', files: 1, bytes: 1, isPinned: false };
  const update = (asked: unknown) =>
    JSON.stringify(asked).includes('"champions"')
      ? { champions: [champion] }
      : { artifacts: [artifact], count: 1, bytes: 1 };
  const fake = fakeServer({ 'critic-caretaker': { type: 'caretaker', update } }, [
    { workflowId: run, status: { name: 'RUNNING' } },
    { workflowId: 'smoke-20261128-010000', status: { name: 'COMPLETED' } },
  ]);
  async function* list() {
    yield { scheduleId: 'critic-night-nightly', state: { paused: true } };
    yield { scheduleId: 'somebody-elses', state: { paused: false } };
  }
  Object.assign(fake.client, { schedule: { list } });
  return fake;
};

it.each([
  [
    ['status', ''],
    [`${run}\trunning`, 'smoke-20261128-010000\tcompleted'],
  ],
  [['status', 'smo'], ['smoke-20261128-010000\tcompleted']],
  [['diff', run, 'de'], [`${run}\trunning`]],
  [['schedule', 'describe', ''], ['nightly\tpaused']],
  [['champion', 'rollback', ''], [`demo\t${run}`]],
  [['artifacts', 'show', ''], ['aaaaaaaaaaaa\tsft']],
])('%j is completed', async (words, lines) => {
  expect(await completed(words, server())).toEqual(lines);
});

it('options are completed without asking anybody', async () => {
  const asked = vi.fn<Shell['connect']>();
  expect(await completed(['status', '--'], server(), { connect: asked })).toContain('--json\tprint it as JSON');
  expect(asked).not.toHaveBeenCalled();
});

it('without a server, with an error, or with a server that says nothing there is nothing, soon and silently', async () => {
  const began = performance.now();
  expect(await completed(['status', ''], undefined, { env: { CRITIC_TEMPORAL_ADDRESS: '127.0.0.1:1' } })).toEqual([]);
  expect(await completed(['status', ''], undefined, { env: {} })).toEqual([]);
  expect(await completed(['status', ''], undefined)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(3000);
  const silent = server();
  // oxlint-disable-next-line require-yield
  async function* list() {
    await new Promise(() => undefined);
  }
  Object.assign(silent.client.workflow, { list });
  expect(await completed(['status', ''], silent)).toEqual([]);
  expect(silent.calls).toEqual(['close']);
  expect(performance.now() - began).toBeLessThan(8000);
});
