import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hasCode } from '../../../activities/store/durable-file.ts';
import { FolderLease } from '../../../activities/store/folder-lease.ts';
import { temporaryFolder } from '../fixtures.ts';

const never = new AbortController().signal;
const minute = 60_000;
const children: ChildProcessWithoutNullStreams[] = [];
let folder: string;

vi.setConfig({ testTimeout: 60_000 });
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Another process that holds the lease. `ask`: what its `check` says. */
async function holder(staleMs: number) {
  const program = fileURLToPath(new URL('lease-child.ts', import.meta.url));
  const child = spawn(process.execPath, [program, folder, String(staleMs)]);
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('held');
  return {
    child,
    ask: async () => {
      child.stdin.write('check\n');
      return (await lines.next()).value;
    },
  };
}

function take(staleMs: number, signal = never): Promise<FolderLease> {
  return FolderLease.take(folder, signal, { renewMs: 50, staleMs, pollMs: 20 });
}

/** As a network file system shows what is not written back yet: every file of the folder looks an hour old. */
async function age(path: string): Promise<void> {
  const old = new Date(Date.now() - 60 * minute);
  try {
    for (const name of await readdir(path, { recursive: true })) await utimes(join(path, name), old, old);
  } catch (error) {
    // Renamed meanwhile.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

async function isTaken(promise: Promise<FolderLease>, withinMs: number): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), withinMs));
  return Promise.race([promise.then(() => true), late]);
}

describe('the lease of a folder', () => {
  it('has one holder in a process; the next one gets it when it is released, and nothing is left behind', async () => {
    let waits = 0;
    const onWait = () => {
      waits += 1;
    };
    const times = { renewMs: 50, staleMs: minute, pollMs: 20, onWait };
    const first = await FolderLease.take(folder, never, times);
    expect(waits).toBe(0);
    const second = FolderLease.take(folder, never, times);
    expect(await isTaken(second, 200)).toBe(false);
    expect(waits).toBeGreaterThan(0);
    await first.release();
    await (await second).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('has one holder among processes', async () => {
    const { ask } = await holder(minute);
    const controller = new AbortController();
    const waiting = take(minute, controller.signal);
    waiting.catch(() => undefined);
    expect(await isTaken(waiting, 300)).toBe(false);
    expect(await ask()).toBe('mine');
    controller.abort(new Error('gave up'));
    await expect(waiting).rejects.toThrow('aborted');
  });

  it('is taken over at once when its holder on this machine was killed with -9', async () => {
    const { child } = await holder(minute);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = take(minute);
    expect(await isTaken(next, 5000)).toBe(true);
    await (await next).release();
  });

  it('is taken over when its holder stands still, who finds out before it does anything more', async () => {
    const { child, ask } = await holder(500);
    child.kill('SIGSTOP');
    const lease = await take(500);
    child.kill('SIGCONT');
    expect(await ask()).toBe('Superseded');
    await lease.check();
    await lease.release();
  });

  it('stays with a holder that renews it, though nobody is shown newer file times or contents', async () => {
    const { ask } = await holder(500);
    const frozen = setInterval(() => void age(folder), 10);
    const controller = new AbortController();
    const waiting = take(500, controller.signal);
    waiting.catch(() => undefined);
    const taken = await isTaken(waiting, 2_000);
    clearInterval(frozen);
    controller.abort();
    expect({ taken, said: await ask() }).toEqual({ taken: false, said: 'mine' });
  });

  it('stays with a holder that renews it, however long that takes', async () => {
    const { ask } = await holder(500);
    const controller = new AbortController();
    const waiting = take(500, controller.signal);
    waiting.catch(() => undefined);
    expect(await isTaken(waiting, 1500)).toBe(false);
    expect(await ask()).toBe('mine');
    controller.abort();
  });
});
