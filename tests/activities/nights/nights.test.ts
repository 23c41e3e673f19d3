/** Turns and beginnings of nights on a real disk, with a Temporal that knows what the test says; a kill -9 before each effect. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { translatedAll } from '../../../activities/failure.ts';
import { createNightActivities } from '../../../activities/nights/nights.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Night } from '../../../domain/night.ts';
import { inActivity, makePlan, rejection, temporaryFolder } from '../fixtures.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from '../jobs/moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('../jobs/moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('../jobs/moments.ts')).virtualTimers);

useVirtualTime();

const at = '2026-11-28T01:30:00.000Z';
let root: string;
let source: string;
let night: Night;
/** Temporal's status of each workflow; absent: it knows no such workflow. */
let status: Record<string, string>;
let says: Record<string, string>;
let calls: string[];

beforeEach(async () => {
  root = await temporaryFolder();
  source = await temporaryFolder();
  [status, says, calls] = [{}, {}, []];
  await mkdir(join(source, 'data'));
  await mkdir(join(source, 'model'));
  const { dataset: _, ...recipe } = makePlan('/data').recipe;
  await writeFile(join(source, 'r.yaml'), stringify({ ...recipe, dataset: 'data', base_model: 'model' }));
  night = {
    schema: 1,
    name: 'n',
    source,
    recipe: 'r.yaml',
    cron: '30 1 * * *',
    time_zone: 'UTC',
    jitter_minutes: 0,
    overlap: 'skip',
    catch_up_minutes: 60,
    pause_on_failure: false,
    at_deadline: 'stop',
    deadline: '07:00',
    owner: 'o',
  };
});

/** `canPause`: its runs know the update. */
function activities(canPause = true, cluster?: string) {
  const getHandle = (id: string) => ({
    describe: async () => {
      if (status[id] === undefined) throw new WorkflowNotFoundError('not found', id, undefined);
      return { status: { name: status[id] }, searchAttributes: { CriticStatus: [says[id] ?? 'running'] } };
    },
    executeUpdate: async (name: string) => {
      calls.push(`${name} ${id}`);
      if (!canPause) throw Object.assign(new Error('no'), { name: 'WorkflowUpdateFailedError' });
      says[id] = 'paused';
    },
    cancel: async () => {
      calls.push(`cancel ${id}`);
      status[id] = 'CANCELED';
    },
  });
  const schedule = {
    getHandle: (id: string) => ({ pause: async (note: string) => void calls.push(`pause ${id} ${note}`) }),
  };
  const withAbortSignal = (_signal: AbortSignal, work: () => unknown) => work();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = { workflow: { getHandle }, schedule, withAbortSignal } as unknown as Client;
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const own = translatedAll(
    createNightActivities({ store: new ArtifactStore(root), ...(cluster === undefined ? {} : { cluster }) }),
  );
  return {
    take: (workflow: string) => inActivity(env, () => own.takeNightTurn({ night: 'n', workflow, at })),
    begin: (turn: number, more: { taken?: string[]; resumes?: string } = {}) =>
      inActivity(env, () => own.beginNight({ night, at, turn, taken: [], ...more })),
    end: (turn: number, id: string, verdict: 'stopped' | 'passed' | 'failed') =>
      inActivity(env, () => own.endNight({ night: 'n', turn, run: id, verdict, nothingNew: false })),
    stop: (id: string) => inActivity(env, () => own.stopRun({ run: id, by: 'b', note: 'n' })),
    check: (value: unknown) => inActivity(env, () => own.checkNight({ night: value })),
    pause: () => inActivity(env, () => own.pauseNight({ night: 'n', note: 'why' })),
  };
}

describe('a turn', () => {
  it('is taken once by each night, in their order, as soon as the one before and its run are over', async () => {
    status = { w1: 'RUNNING', w2: 'RUNNING' };
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
    status = { w1: 'RUNNING' };
    const effects = await effectsOf(() => activities().take('w1'));
    expect(effects.length).toBeGreaterThan(3);
    for (const moment of effects.keys()) {
      await rm(join(root, 'nights'), { recursive: true });
      await killedAt(moment, () => activities().take('w1'));
      expect(await lived(() => activities().take('w1'))).toEqual({ turn: 1 });
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
    status = { r: 'RUNNING' };
    expect(await lived(() => activities().stop('r'))).toEqual({ saved: true });
    expect(calls).toEqual(['pause r', 'cancel r']);
    expect(await lived(() => activities().stop('r'))).toEqual({ saved: true });
    expect(calls).toHaveLength(2);
  });

  it('is cancelled as it is where it cannot pause', async () => {
    status = { r: 'RUNNING' };
    expect(await lived(() => activities(false).stop('r'))).toEqual({ saved: false });
    expect(calls).toEqual(['pause r', 'cancel r']);
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
