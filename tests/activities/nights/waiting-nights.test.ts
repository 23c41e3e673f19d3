/** Nights that wait for their turn, and a store that takes nothing, on a real disk; a kill -9 before each effect. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { rejection } from '../fixtures.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from '../jobs/moments.ts';
import { activities, freshWorld, root, source, status } from './world.ts';

vi.mock('node:fs/promises', async (original) => (await import('../jobs/moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('../jobs/moments.ts')).virtualTimers);

useVirtualTime();
beforeEach(freshWorld);

describe('nights that wait', () => {
  const time = (day: number) => `2026-11-0${day}T01:30:00.000Z`;

  it('take their turns in the order of their times, whoever asks first', async () => {
    Object.assign(status, { held: 'RUNNING', late: 'RUNNING', early: 'RUNNING', middle: 'RUNNING' });
    await lived(() => activities().take('held'));
    const busy = { turn: null, before: { workflow: 'held' } };
    for (const [name, day] of [['late', 3] as const, ['early', 1] as const, ['middle', 2] as const])
      expect(await lived(() => activities().queue(name, time(day)))).toMatchObject(busy);
    status['held'] = 'COMPLETED';
    expect(await lived(() => activities().queue('late', time(3)))).toMatchObject({
      turn: null,
      before: { workflow: 'early', at: time(1), run: null },
    });
    expect(await lived(() => activities().queue('early', time(1)))).toEqual({ turn: 2 });
    status['early'] = 'COMPLETED';
    // One that is over before it had its turn is not waited for.
    status['middle'] = 'TERMINATED';
    await lived(() => activities().wait('late'));
    expect(await lived(() => activities().queue('late', time(3)))).toEqual({ turn: 3 });
    expect(await lived(() => activities().queue('late', time(3)))).toEqual({ turn: 3 });
    status['late'] = 'COMPLETED';
    expect(await lived(() => activities().take('usual'))).toEqual({ turn: 4 });
  });

  it('and begin in the same moment, take them in that order too', async () => {
    const names = ['c', 'b', 'a'];
    for (const name of names) status[name] = 'RUNNING';
    const asked = names.map((name, index) => activities().queue(name, time(3 - index)));
    const answers = await lived(() => Promise.all(asked));
    expect(answers.map(({ turn }) => turn)).toEqual([null, null, 1]);
  });

  it('keep their place, whenever the worker is killed', async () => {
    Object.assign(status, { held: 'RUNNING', w: 'RUNNING', x: 'RUNNING' });
    await lived(() => activities().take('held'));
    const effects = await effectsOf(() => activities().queue('w', time(1)));
    expect(effects.length).toBeGreaterThan(0);
    for (const moment of effects.keys()) {
      await rm(join(root, 'nights/n/queue'), { recursive: true, force: true });
      await killedAt(moment, () => activities().queue('w', time(1)));
      await lived(() => activities().queue('w', time(1)));
      status['held'] = 'COMPLETED';
      expect(await lived(() => activities().queue('x', time(2)))).toMatchObject({ before: { workflow: 'w' } });
      status['held'] = 'RUNNING';
    }
  });

  it('and are to stop the one before, are told when it has begun its run', async () => {
    Object.assign(status, { held: 'RUNNING', over: 'RUNNING' });
    await lived(() => activities().take('held'));
    const { plan } = await lived(() => activities().begin(1));
    status[plan.run] = 'RUNNING';
    await lived(() => activities().wait('over', null));
    let isOver = false;
    const waiting = lived(() => activities().wait('over', plan.run)).then(() => (isOver = true));
    for (let index = 0; index < 20; index += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    Object.assign(status, { held: 'COMPLETED', [plan.run]: 'CANCELLED' });
    await waiting;
  });
});

describe('a store that takes nothing for a while', () => {
  it('fails no night: it is tried again, as there is nobody to ask', async () => {
    Object.assign(status, { w: 'RUNNING' });
    await writeFile(join(root, 'nights'), 'no folder');
    for (const work of [() => activities().take('w'), () => activities().end(1, 'r', 'stopped')]) {
      expect(await rejection(lived<unknown>(work))).toMatchObject({ type: 'SystemError', nonRetryable: false });
    }
  });

  it('is no fault of a recipe, but one that nobody may read is', async () => {
    await writeFile(join(root, 'runs'), 'no folder');
    const full = await rejection(lived(() => activities().begin(1)));
    expect(full).toMatchObject({ type: 'SystemError', nonRetryable: false });
    await rm(join(source, 'r.yaml'));
    await mkdir(join(source, 'r.yaml'));
    expect(await rejection(lived(() => activities().begin(1)))).toMatchObject({ nonRetryable: true });
  });
});
