import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { viewed } from './view.ts';

const children: ChildProcessWithoutNullStreams[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process of another machine: it sees the folder through a view of its own and has another hostname. */
function machine(view: string, name: string, staleMs: number) {
  const program = fileURLToPath(new URL('../activities/store/lease-child.ts', import.meta.url));
  const inside = 'hostname "$1" && exec "$2" "$3" "$4" "$5"';
  const child = spawn('unshare', ['-u', 'sh', '-c', inside, 'sh', name, process.execPath, program, view, `${staleMs}`]);
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  return {
    child,
    held: next(),
    ask: async () => {
      child.stdin.write('check\n');
      return next();
    },
  };
}

async function within(promise: Promise<string>, ms: number): Promise<string> {
  return Promise.race([promise, sleep(ms, 'nothing')]);
}

describe('the lease of a folder that two machines see a minute late', () => {
  it('stays with a holder that renews it, though the other one waits for longer than it takes to go stale', async () => {
    const { a, b } = viewed(60, 'a', 'b');
    const first = machine(a, 'host-a', 1_000);
    expect(await first.held).toBe('held');
    const second = machine(b, 'host-b', 1_000);
    expect(await within(second.held, 6_000)).toBe('nothing');
    expect(await first.ask()).toBe('mine');
  });

  it('goes to the other machine when its holder is killed, and to one of two that wait', async () => {
    const { a, b, c } = viewed(60, 'a', 'b', 'c');
    const first = machine(a, 'host-a', 1_000);
    expect(await first.held).toBe('held');
    const others = [machine(b, 'host-b', 1_000), machine(c, 'host-c', 1_000)];
    await sleep(1_500);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await Promise.race(others.map((other) => other.held));
    await sleep(3_000);
    expect(await Promise.all(others.map((other) => within(other.held, 100)))).toEqual(
      expect.arrayContaining(['held', 'nothing']),
    );
  });

  it('is known to be lost by a holder that stood still, before it does anything more', async () => {
    const { a, b } = viewed(60, 'a', 'b');
    const first = machine(a, 'host-a', 1_000);
    expect(await first.held).toBe('held');
    const second = machine(b, 'host-b', 1_000);
    first.child.kill('SIGSTOP');
    expect(await within(second.held, 20_000)).toBe('held');
    first.child.kill('SIGCONT');
    expect(await first.ask()).toBe('Superseded');
    expect(await second.ask()).toBe('mine');
  });
});
