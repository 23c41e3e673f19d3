/** Jobs that one limit is about. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { rejection, temporaryFolder } from '../fixtures.ts';
import { turnWorld } from './turn-world.ts';

vi.setConfig({ testTimeout: 60_000 });

let root: string;
let status: Record<string, string>;
beforeEach(async () => {
  root = await temporaryFolder();
  status = { a: 'RUNNING', b: 'RUNNING', c: 'RUNNING' };
});
const world = (atMost = 1) => turnWorld(root, (run) => status[run], atMost);
const program = fileURLToPath(new URL('turn-child.ts', import.meta.url));

/** Has it come within a moment? */
async function isThere(promise: Promise<unknown>, ms = 300): Promise<boolean> {
  return Promise.race([promise.then(() => true), sleep(ms).then(() => false)]);
}

describe('a turn', () => {
  it('is had by as many as the limit says, and by the one who came first of those who wait', async () => {
    const { take, leave } = world(2);
    const took: string[] = [];
    await take('a');
    await take('b');
    status['d'] = 'RUNNING';
    const third = take('c').then(() => took.push('c'));
    await sleep(20);
    const fourth = take('d').then(() => took.push('d'));
    expect(await isThere(third)).toBe(false);
    await leave('a');
    await third;
    expect(took).toEqual(['c']);
    await leave('b');
    await fourth;
    expect(await readdir(join(root, 'turns/grpo@nlp/queue'))).toEqual([]);
  });

  it('is had still when it is asked for again, and free after it was left, twice', async () => {
    const { take, leave } = world();
    await take('a');
    await take('a');
    await leave('a');
    await leave('a');
    await take('b');
    expect(await readdir(join(root, 'turns/grpo@nlp/slots'))).toEqual(['0']);
  });

  it('of a run that is over goes to the next one, and so does its place in the queue', async () => {
    const { take } = world();
    await take('a');
    const env = world().environment();
    const waiting = rejection(take('b', env));
    await sleep(100);
    env.cancel();
    expect(await waiting).toMatchObject({ name: 'CancelledFailure' });
    status['a'] = 'TERMINATED';
    delete status['b'];
    await take('c');
    expect(await readdir(join(root, 'turns/grpo@nlp/queue'))).toEqual([]);
  });

  it('keeps the place in the queue of one that was killed while it waited', async () => {
    const { take, leave } = world();
    await take('a');
    const child = spawn(process.execPath, [program, root, 'b', '1']);
    const queue = join(root, 'turns/grpo@nlp/queue');
    while ((await readdir(queue)).length === 0) await sleep(50);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const later = take('c');
    await leave('a');
    // It came first, and its worker is away: nobody overtakes it.
    expect(await isThere(later, 4000)).toBe(false);
    await take('b');
    expect(await isThere(later)).toBe(false);
    await leave('b');
    await later;
  });

  it('is had by one of four processes at a time', async () => {
    const runs = ['a', 'b', 'c', 'd'];
    const children = runs.map((run) => spawn(process.execPath, [program, root, run, '2'], { stdio: 'pipe' }));
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0, 0]);
    const order = (await readFile(join(root, 'order'), 'utf8')).trim().split('\n');
    expect(order.toSorted()).toEqual([...runs, ...runs].toSorted());
  });
});
