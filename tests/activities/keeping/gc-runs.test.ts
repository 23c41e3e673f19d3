/** Runs that need something of the store though they have no plan in it. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { paths } from '../../../domain/names.ts';
import { makePlan, temporaryFolder } from '../fixtures.ts';
import { isThere, World } from './world.ts';

let world: World;
let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
  world = new World(root);
});

describe('what a run has left', () => {
  it('stays if another one goes on from it that still looks at its dataset, and so has no plan here yet', async () => {
    await world.run('demo-1', 20, 'CANCELLED');
    const folder = await world.attempt('demo-1', 'grpo', 1, [10]);
    world.runs['demo-2'] = { status: 'RUNNING' };
    world.inputs['demo-2'] = { ...makePlan('/data', {}, 'demo-2'), resumes: 'demo-1' };
    await world.gc();
    expect(await isThere(join(folder, 'checkpoints/checkpoint-10'))).toBe(true);
    world.runs['demo-2'] = { status: 'FAILED', ended: 9 };
    await world.gc();
    expect(await isThere(join(folder, 'checkpoints'))).toBe(false);
  });

  it.each([
    ['goes on', { status: 'RUNNING' }, true],
    ['was killed yesterday', { status: 'TERMINATED', ended: 1 }, true],
    ['was killed a month ago', { status: 'TERMINATED', ended: 30 }, false],
    ['came to its end', { status: 'COMPLETED', ended: 1 }, false],
  ])('of a workflow of jobs alone, which has no plan, and %s', async (_how, said, stays) => {
    await world.run('scores-1', 20, 'RUNNING');
    world.runs['scores-1'] = said;
    const folder = await world.attempt('scores-1', 'predict-grpo', 1, []);
    await rm(join(paths.run(root, 'scores-1'), 'plan.json'));
    await world.gc();
    expect(await isThere(join(folder, 'output'))).toBe(stays);
  });
});
