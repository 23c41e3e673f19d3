/** `critic notices` without a server: what is asked, and how it looks. */
import { describe, expect, it } from 'vitest';
import { critic, fakeServer, onTerminal } from './fakes.ts';

const deliveries = {
  oncall: { state: 'given-up', tries: 40, error: 'the receiver answered 500' },
  mail: { state: 'sent', tries: 1 },
};
const kept = {
  id: 'run-a-1-ended',
  kind: 'failed',
  at: '2026-11-28T01:02:03.000Z',
  title: `run ${'a'.repeat(90)} has failed`,
  deliveries,
};

describe('critic notices', () => {
  it('lists them in 80 columns, with the worst of their deliveries', async () => {
    const server = fakeServer({
      'critic-caretaker': { update: () => ({ notices: [kept], unreadable: ['run-b-1-ended'] }) },
    });
    const argv = ['notices', 'ls', '--open'];
    const { out: piped, code } = await critic(argv, server);
    expect(piped.split('\n')[0]).toBe(`11-28 01:02 given-up  ${kept.title}`);
    const out = await onTerminal(argv, server, 80);
    expect(server.calls).toContain('inquire critic-caretaker {"name":"notices","input":{"open":true,"limit":20}}');
    expect(code).toBe(0);
    expect(out).toContain('11-28 01:02 given-up  run aaa');
    expect(out.split('\n')[0]).toMatch(/^.{79}…$/);
    expect(out).toContain('run-a-1-ended');
    expect(out).toContain('damaged, and held up until its files are mended or removed: run-b-1-ended');
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('shows one with what to type and how far each channel is', async () => {
    const notice = {
      ...kept,
      title: 'run a has failed',
      text: 'out of memory',
      commands: ['npm run critic -- resume a'],
    };
    const { deliveries: _, ...told } = notice;
    const server = fakeServer({ 'critic-caretaker': { update: () => ({ notice: told, deliveries }) } });
    const { out } = await critic(['notices', 'show', kept.id], server);
    expect(out).toContain('  npm run critic -- resume a\n');
    expect(out).toContain('  oncall: given-up, tries 40; the receiver answered 500\n');
    const none = fakeServer({ 'critic-caretaker': { update: () => ({ notice: null, deliveries: {} }) } });
    expect(await critic(['notices', 'show', 'x'], none)).toMatchObject({ code: 1, out: '' });
    expect(await critic(['notices', 'retry', 'x'], none)).toEqual({
      code: 1,
      out: '',
      err: 'critic: notice "x": expected an id as "critic notices ls" prints it\n',
    });
  });

  it('fails when a test was not delivered', async () => {
    const reply = { id: 'test-a-1', delivery: { state: 'pending', tries: 1, error: 'the receiver answered 404' } };
    const server = fakeServer({ 'critic-caretaker': { update: () => reply } });
    expect(await critic(['notices', 'test', 'a'], server)).toMatchObject({
      code: 1,
      out: 'test-a-1: pending (the receiver answered 404)\n',
      err: 'critic: channel a: the test was not delivered\n',
    });
  });
});
