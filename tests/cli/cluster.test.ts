/** Which cluster a command is about, without a server: where it sends what, and what it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod';
import { makePlan } from '../activities/fixtures.ts';
import { critic, type FakeRun, fakeServer } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-cluster-'));
afterAll(() => rmSync(folder, { recursive: true }));
const recipes = { named: join(folder, 'named.yaml'), plain: join(folder, 'plain.yaml') };
beforeAll(() => {
  const recipe = { ...makePlan(folder).recipe, dataset: folder, base_model: folder };
  writeFileSync(recipes.plain, stringify(recipe));
  writeFileSync(recipes.named, stringify({ ...recipe, cluster: 'a' }));
});

const env = (cluster?: string) => ({
  CRITIC_TEMPORAL_ADDRESS: 'fake:7233',
  ...(cluster === undefined ? {} : { CRITIC_CLUSTER: cluster }),
});
const { recipe } = makePlan('/data');
const ended: FakeRun = { status: 'FAILED', taskQueue: 'critic@a' };
/** What the caretakers of two clusters have of the run `r`. */
const keepers = (): Record<string, FakeRun> => ({
  'critic-caretaker': { type: 'caretaker', taskQueue: 'critic', update: () => ({ plan: null }) },
  'critic-caretaker@a': {
    type: 'caretaker',
    taskQueue: 'critic@a',
    update: () => ({ plan: { schema: 1, run: 'r', recipe: { ...recipe, cluster: 'a' } } }),
  },
});

/** The queue and the plan with which `critic run` starts. */
async function started(file: string, flags: string[], cluster?: string) {
  const result = { passed: true, reasons: [], mainScore: 1, champion: null, report: '/r', summary: '', reused: [] };
  const server = fakeServer({ trainCritic: { status: 'COMPLETED', result: () => result } });
  const { err } = await critic(['run', file, ...flags], server, { env: env(cluster) });
  return { queues: [...server.queues.values()], err, plans: [...server.started.values()] };
}

describe('a run is started', () => {
  it.each([
    ['nobody names one', 'plain', [], undefined, undefined],
    ['the recipe names it', 'named', [], undefined, 'a'],
    ['the recipe names it and the environment another one', 'named', [], 'e', 'a'],
    ['the environment names it', 'plain', [], 'e', 'e'],
    ['it is said', 'plain', ['--cluster', 's'], 'e', 's'],
    ['another one is said than the recipe names', 'named', ['--cluster', 's'], 'e', 's'],
  ] as const)('on the cluster that is meant where %s', async (_, file, flags, own, cluster) => {
    const { queues, plans } = await started(recipes[file], [...flags], own);
    expect(queues).toEqual([cluster === undefined ? 'critic' : `critic@${cluster}`]);
    const planned = z.array(z.object({ recipe: z.object({ cluster: z.string().optional() }) })).parse(plans);
    expect(planned.map(({ recipe: { cluster: name } }) => name)).toEqual([cluster]);
  });

  it.each(['run', 'plan'])(
    'by "%s" only where a worker serves the cluster; those that are known are named',
    async (verb) => {
      const server = fakeServer(keepers(), undefined, ['critic']);
      const { code, err } = await critic([verb, recipes.named], server, { env: env() });
      expect({ code, err }).toEqual({
        code: 1,
        err: 'critic: recipe.cluster: expected a cluster that a worker serves, got "a", for which none has asked in the last minutes; known: cluster "a", the cluster without a name\n',
      });
      expect(server.started.size).toBe(0);
    },
  );
});

describe('what is asked of a store', () => {
  const asked = async (argv: string[], runs: Record<string, FakeRun>, cluster?: string) => {
    const server = fakeServer({ ...keepers(), trainCritic: ended, ...runs });
    const result = await critic(argv, server, { env: env(cluster) });
    return { ...result, asked: server.calls.flatMap((call) => /^inquire (\S+) /.exec(call)?.[1] ?? []) };
  };

  it('is asked of the cluster on which the run was', async () => {
    expect((await asked(['resume', 'r'], { r: ended })).asked).toEqual(['critic-caretaker@a']);
    expect((await asked(['checkpoints', 'r'], { r: ended })).asked).toEqual(['critic-caretaker@a']);
    expect((await asked(['checkpoints', 'r'], { r: { status: 'FAILED' } }, 'a')).asked).toEqual(['critic-caretaker']);
  });

  it('is asked of the chosen one where Temporal has forgotten the run, or it is about none', async () => {
    expect((await asked(['resume', 'r', '--lost', '--cluster', 'a'], {})).asked).toEqual(['critic-caretaker@a']);
    expect((await asked(['champion', 'show', 'c', '--cluster', 'a'], {})).asked).toContain('critic-caretaker@a');
    expect((await asked(['champion', 'show', 'c'], {}, 'a')).asked).toContain('critic-caretaker@a');
    expect((await asked(['champion', 'show', 'c'], {})).asked).toContain('critic-caretaker');
  });

  it('of a cluster that nobody has served says so', async () => {
    const { code, err } = await asked(['champion', 'show', 'c', '--cluster', 'b'], {});
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('for cluster "b" on this Temporal server'),
    });
  });

  it('goes on where the run was: another cluster is refused, the environment’s is not asked', async () => {
    const { code, err } = await asked(['resume', 'r', '--cluster', 'b'], { r: ended });
    expect({ code, err }).toEqual({
      code: 1,
      err: 'critic: --cluster: expected that of r, cluster "a", got "b"\n',
    });
    const server = fakeServer({ ...keepers(), r: ended, trainCritic: ended });
    await critic(['resume', 'r'], server, { env: env('b') });
    expect([...server.queues.values()]).toEqual(['critic@a']);
  });

  it('of runs of two clusters is not compared', async () => {
    const { err } = await asked(['diff', 'r', 's'], { r: ended, s: { status: 'FAILED', taskQueue: 'critic@b' } });
    expect(err).toBe('critic: runs r, s: expected two of one cluster, got one of cluster "a" and one of cluster "b"\n');
  });
});

describe('a name of a cluster', () => {
  it('that is none is refused where it stands', async () => {
    const said = await critic(['runs', '--cluster', "a' OR 'b"], fakeServer({}));
    expect(said).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^critic: --cluster: expected 1 to 24 of letters/),
    });
    const own = await critic(['runs'], fakeServer({}), { env: env('a@b') });
    expect(own).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^critic: CRITIC_CLUSTER: expected 1 to 24.*got "a@b"/),
    });
  });
});
