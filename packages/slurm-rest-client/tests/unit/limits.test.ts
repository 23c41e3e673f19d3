/** Accounts and QOS with their limits, in the spellings of v0.0.38 and v0.0.42. */
import { describe, expect, test } from 'vitest';
import { readAssociation, readQos } from '../../src/limits.ts';
import { json, withClient } from './scripted-server.ts';

const set = (number: number) => ({ set: true, infinite: false, number });
const unset = { set: false, infinite: true, number: 0 };

/** As 22.05.8 prints it: null is no limit, the default account is a flag. */
const association38 = {
  account: 'nlp',
  cluster: 'c',
  flags: ['DEFAULT'],
  is_default: 0,
  max: {
    jobs: { per: { wall_clock: 2880 }, active: 4, total: null },
    tres: { total: [], per: { job: [{ type: 'gres', name: 'gpu', id: 1001, count: 8 }], node: [] } },
  },
  partition: null,
  qos: ['normal', 'high'],
  user: 'alice',
};
const association42 = {
  ...association38,
  flags: [],
  is_default: true,
  max: {
    jobs: { per: { wall_clock: set(2880) }, active: set(4), total: unset },
    tres: association38.max.tres,
  },
};
const qos = (job: unknown, user: unknown) => ({
  name: 'normal',
  limits: {
    max: {
      wall_clock: { per: { job, qos: null } },
      jobs: { active_jobs: { per: { user } }, per: { user: null } },
      tres: { per: { job: [], user: [{ type: 'cpu', name: '', count: 64 }] } },
    },
  },
});
const none = { wallMinutes: undefined, running: undefined, submitted: undefined, perJob: [], together: [] };

describe('limits', () => {
  test.each([association38, association42])('of an account are read in each spelling', (wire) => {
    expect(readAssociation(wire)).toEqual({
      account: 'nlp',
      cluster: 'c',
      partition: undefined,
      user: 'alice',
      isDefault: true,
      qos: ['normal', 'high'],
      limits: { ...none, wallMinutes: 2880, running: 4, perJob: [{ tres: 'gres/gpu', count: 8 }] },
    });
  });

  test('of a QOS are those on a job and on a user', () => {
    const expected = { ...none, wallMinutes: 60, running: 2, together: [{ tres: 'cpu', count: 64 }] };
    for (const wire of [qos(60, 2), qos(set(60), set(2))])
      expect(readQos(wire)).toEqual({ name: 'normal', limits: expected });
  });

  test('that are INFINITE, negative, or not there are none', () => {
    expect(readQos(qos(4_294_967_295, -1)).limits).toMatchObject({ wallMinutes: undefined, running: undefined });
    expect(readQos({ name: 'bare' })).toEqual({ name: 'bare', limits: none });
    expect(readAssociation({ account: 'a', user: 'alice' }).limits).toEqual(none);
  });

  test('are asked for by user, and those of others are left out', async () => {
    const associations = [association42, { ...association42, user: 'bob' }];
    await withClient(
      (request, r) => json(r, 200, request.url.includes('qos') ? { qos: [qos(1, 1)] } : { associations, errors: [] }),
      async (client, received) => {
        expect((await client.associations('alice')).map(({ user }) => user)).toEqual(['alice']);
        expect(received.at(-1)?.url).toMatch(/\/slurmdb\/v0\.0\.42\/associations\/\?user=alice$/);
        expect((await client.qos()).map(({ name }) => name)).toEqual(['normal']);
      },
    );
  });
});
