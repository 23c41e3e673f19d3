/** Turns and beginnings of nights on a real disk, with a Temporal that knows what the test says; a kill -9 before each effect. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { rejection } from '../fixtures.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from '../jobs/moments.ts';
import { activities, at, beDeaf, calls, freshWorld, night, root, says, source, status, stuck } from './world.ts';

vi.mock('node:fs/promises', async (original) => (await import('../jobs/moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('../jobs/moments.ts')).virtualTimers);

useVirtualTime();
beforeEach(freshWorld);

describe('a turn', () => {
  it('is taken once by each night, in their order, as soon as the one before and its run are over', async () => {
    Object.assign(status, { w1: 'RUNNING', w2: 'RUNNING' });
    expect(await lived(() => activities().take('w1'))).toEqual({ turn: 1 });
    expect(await lived(() => activities().take('w1'))).toEqual({ turn: 1 });
    const before = { at, workflow: 'w1', run: null, status: 'running' };
    expect(await lived(() => activities().take('w2'))).toEqual({ turn: null, before });

    const { plan } = await lived(() => activities().begin(1));
    Object.assign(status, { w1: 'TERMINATED', [plan.run]: 'RUNNING' });
    says[plan.run] = 'waiting';
    expect(await lived(() => activities().take('w2'))).toEqual({
      turn: null,
      before: { ...before, run: plan.run, status: 'waiting' },
    });
    status[plan.run] = 'COMPLETED';
    expect(await lived(() => activities().take('w2'))).toEqual({ turn: 2 });
  });

  it('that several ask for at once goes to one', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) status[name] = 'RUNNING';
    const answers = await lived(() => Promise.all(names.map((name) => activities().take(name))));
    expect(answers.filter(({ turn }) => turn === 1)).toHaveLength(1);
    expect(answers.filter(({ turn }) => turn === null)).toHaveLength(3);
  });

  it('is taken once, whenever the worker is killed', async () => {
    Object.assign(status, { w1: 'RUNNING' });
    const effects = await effectsOf(() => activities().take('w1'));
    expect(effects.length).toBeGreaterThan(3);
    for (const moment of effects.keys()) {
      await rm(join(root, 'nights'), { recursive: true });
      await killedAt(moment, () => activities().take('w1'));
      expect(await lived(() => activities().take('w1'))).toEqual({ turn: 1 });
    }
  });
});

describe('the end of a night', () => {
  it('is the same, whenever the worker is killed', async () => {
    const effects = await effectsOf(() => activities().end(1, 'r', 'stopped'));
    expect(effects.length).toBeGreaterThan(2);
    for (const moment of effects.keys()) {
      await rm(join(root, 'nights'), { recursive: true });
      await lived(() => activities().end(1, 'r', 'passed'));
      // One write is repeated by the next try; until then the old one stands whole.
      await killedAt(moment, () => activities().end(1, 'r', 'stopped'));
      const between = JSON.parse(await readFile(join(root, 'nights/n/turn-000001.end.json'), 'utf8'));
      expect(['passed', 'stopped']).toContain(between.verdict);
      await lived(() => activities().end(1, 'r', 'stopped'));
      expect((await lived(() => activities().begin(2))).plan.resumes).toBe('r');
    }
  });
});

describe('a beginning', () => {
  it('is the recipe as it is now, with the night, its owner, its deadline, and a copy of what was read', async () => {
    const { plan, deadline, commit } = await lived(() => activities().begin(1));
    expect(plan).toMatchObject({ schema: 1, night: { name: 'n', at }, owner: 'o', recipe: { name: 'test', seed: 1 } });
    expect(plan.recipe.dataset.path).toBe(join(source, 'data'));
    expect(plan).not.toHaveProperty('resumes');
    expect(commit).toBeNull();
    expect(deadline).toMatch(/T07:00:00\.000Z$/);
    const kept = join(root, 'runs', plan.run, 'night');
    expect(await readFile(join(kept, 'recipe.yaml'), 'utf8')).toBe(await readFile(join(source, 'r.yaml'), 'utf8'));
    expect(JSON.parse(await readFile(join(kept, 'night.json'), 'utf8'))).toMatchObject({ at, turn: 1, night });
  });

  it('has the same run when it is repeated, another where its id is known or was taken', async () => {
    const first = await lived(() => activities().begin(1));
    expect((await lived(() => activities().begin(1))).plan.run).toBe(first.plan.run);
    status[first.plan.run] = 'RUNNING';
    const second = await lived(() => activities().begin(1, { taken: [first.plan.run] }));
    expect(second.plan.run).not.toBe(first.plan.run);
    expect((await lived(() => activities().begin(2))).plan.run).not.toBe(first.plan.run);
  });

  it('with a wrong recipe is refused with each fault, and one that is not there with its path', async () => {
    await writeFile(join(source, 'r.yaml'), 'name: x\nseed: one\n');
    const wrong = await rejection(lived(() => activities().begin(1)));
    expect(wrong).toMatchObject({
      type: 'ConfigInvalid',
      nonRetryable: true,
      message: expect.stringContaining('recipe.seed'),
    });
    await rm(join(source, 'r.yaml'));
    const none = await rejection(lived(() => activities().begin(1)));
    expect(none).toMatchObject({ type: 'ConfigInvalid', message: expect.stringContaining('no such file') });
  });

  it('goes on from the night before if its deadline stopped it, also over a night without a run', async () => {
    const first = await lived(() => activities().begin(1));
    await lived(() => activities().end(1, first.plan.run, 'stopped'));
    expect((await lived(() => activities().begin(3))).plan.resumes).toBe(first.plan.run);
    expect((await lived(() => activities().begin(4))).plan).not.toHaveProperty('resumes');
    // A night that had a run stopped, and then found its recipe wrong, leaves it to the next one.
    await lived(() => activities().end(7, 'stopped-for-it', 'wrong-recipe'));
    await lived(() => activities().end(8, null, 'wrong-recipe'));
    expect((await lived(() => activities().begin(9))).plan.resumes).toBe('stopped-for-it');
    expect((await lived(() => activities().begin(5, { resumes: 'other' }))).plan.resumes).toBe('other');
  });

  it('comes to the same, whenever the worker is killed', async () => {
    const effects = await effectsOf(() => activities().begin(1));
    for (const moment of effects.keys()) {
      await killedAt(moment, () => activities().begin(2 + moment));
      const { plan } = await lived(() => activities().begin(2 + moment));
      expect((await lived(() => activities().begin(2 + moment))).plan.run).toBe(plan.run);
      await readFile(join(root, 'runs', plan.run, 'night', 'recipe.yaml'));
    }
  });
});

describe('a night on a cluster with a name', () => {
  const onA = () => activities(true, 'a');
  const recipeSays = async (cluster: string) =>
    writeFile(join(source, 'r.yaml'), `${await readFile(join(source, 'r.yaml'), 'utf8')}cluster: ${cluster}\n`);

  it('runs there, whether its recipe says so or nothing', async () => {
    expect((await lived(() => onA().begin(1))).plan.recipe.cluster).toBe('a');
    await recipeSays('a');
    expect((await lived(() => onA().begin(2))).plan.recipe.cluster).toBe('a');
  });

  it('is wrong where its recipe names another one', async () => {
    await recipeSays('b');
    const faults = [onA(), activities()].map((own) => rejection(lived(() => own.begin(1))));
    expect(await Promise.all(faults)).toMatchObject([
      { type: 'ConfigInvalid', message: expect.stringContaining('of the night, cluster "a", got "b"') },
      { type: 'ConfigInvalid', message: expect.stringContaining('of the night, the cluster without a name, got "b"') },
    ]);
  });

  it('is not lived by another one’s worker', async () => {
    const onOurs = { ...night, cluster: 'a' };
    await lived(() => onA().check(onOurs));
    const wrong = await Promise.all([
      rejection(lived(() => activities().check(onOurs))),
      rejection(lived(() => onA().check(night))),
    ]);
    expect(wrong).toMatchObject([
      { message: 'night.cluster: expected that of this worker, the cluster without a name, got "a"' },
      { message: 'night.cluster: expected that of this worker, cluster "a", got nothing' },
    ]);
  });
});

describe('a run that is stopped', () => {
  it('is paused, and cancelled once it is', async () => {
    Object.assign(status, { r: 'RUNNING' });
    expect(await lived(() => activities().stop('r'))).toEqual({ saved: true });
    expect(calls).toEqual(['pause r', 'cancel r']);
    expect(await lived(() => activities().stop('r'))).toEqual({ saved: true });
    expect(calls).toHaveLength(2);
  });

  it('is cancelled as it is where it cannot pause', async () => {
    Object.assign(status, { r: 'RUNNING' });
    expect(await lived(() => activities(false).stop('r'))).toEqual({ saved: false });
    expect(calls).toEqual(['pause r', 'cancel r']);
  });

  it('is asked again while it is slow to accept, and cancelled where its code cannot go on', async () => {
    Object.assign(status, { slow: 'RUNNING', bad: 'RUNNING' });
    beDeaf(2);
    expect(await lived(() => activities().stop('slow'))).toEqual({ saved: true });
    expect(calls).toEqual(['pause slow', 'pause slow', 'pause slow', 'cancel slow']);
    calls.length = 0;
    beDeaf(Infinity);
    stuck.add('bad');
    expect(await lived(() => activities().stop('bad'))).toEqual({ saved: false });
    expect(calls).toEqual(['pause bad', 'cancel bad']);
  });
});

describe('a schedule', () => {
  it('made by hand is checked: its name becomes part of a path', async () => {
    await lived(() => activities().check(night));
    const wrong = await rejection(lived(() => activities().check({ ...night, name: '../../x' })));
    expect(wrong).toMatchObject({ type: 'ConfigInvalid', message: expect.stringMatching(/^night\.name: expected/) });
  });

  it('is paused with a note', async () => {
    expect(await lived(() => activities().pause())).toBe('paused');
    expect(calls).toEqual(['pause critic-night-n why']);
  });
});
