/** Reading jobs back: which requests that becomes, and what is made of odd answers. */
import { describe, expect, test } from 'vitest';
import type { SlurmClient } from '../../src/index.ts';
import { failed, json, plain, urls, withClient, type Script } from './scripted-server.ts';

const noJobs: Script = (_, r) => json(r, 200, { jobs: [], errors: [] });

/** Every job that is asked for runs. */
const allRunning: Script = (request, r) => {
  const asked = new URL(request.url, 'http://x').searchParams.getAll('job_id');
  json(r, 200, { jobs: asked.map((id) => ({ job_id: id, state: ['RUNNING'] })), errors: [] });
};

const life = (start: number, current: string) => ({
  job_id: 7,
  state: { current: [current] },
  time: { start, submission: 1 },
});

describe('states', () => {
  test('are asked for with repeated ids, never with a comma', async () => {
    const ids = Array.from({ length: 200 }, (_, index) => String(index + 1));
    await withClient(allRunning, async (client, received) => {
      expect(await client.jobStates(ids)).toHaveLength(200);
      expect(received).toHaveLength(1);
      for (const request of received) expect(request.url).not.toMatch(/,|%2C/i);
    });
  });

  test('of more than fit a URL are those of all jobs, in one request, of which the others are left out', async () => {
    const ids = Array.from({ length: 450 }, (_, index) => String(index + 1));
    const jobs = [...ids, '999'].map((id) => ({ job_id: Number(id), state: ['RUNNING'] }));
    await withClient(
      (_, r) => json(r, 200, { jobs, errors: [] }),
      async (client, received) => {
        expect((await client.jobStates(ids)).map(({ id }) => id)).toEqual(ids);
        expect(urls(received)).toEqual(['GET /slurm/v0.0.42/jobs/state/']);
      },
    );
  });

  test('of nobody are not asked for', async () => {
    await withClient(
      (_, r) => json(r, 500, {}),
      async (client, received) => {
        expect(await client.jobStates([])).toEqual([]);
        expect(received).toEqual([]);
      },
    );
  });

  test('leave out whom slurmctld does not know', async () => {
    await withClient(
      (_, r) => json(r, 404, failed(2017)),
      async (client) => {
        expect(await client.jobStates(['7'])).toEqual([]);
      },
    );
  });

  test('on v0.0.38 are one list of all jobs, details included', async () => {
    const jobs = [
      { job_id: 7, name: 'mine', job_state: 'RUNNING' },
      { job_id: 8, name: 'other', job_state: 'RUNNING' },
    ];
    await withClient(
      (_, r) => json(r, 200, { jobs, errors: [] }),
      async (client, received) => {
        expect(await client.jobStates(['7', '9'])).toMatchObject([
          { id: '7', state: 'RUNNING', details: { name: 'mine' } },
        ]);
        expect(urls(received)).toEqual(['GET /slurm/v0.0.38/jobs/']);
      },
      { apiVersion: 'v0.0.38' },
    );
  });
});

describe('a look-up', () => {
  test('of a job that slurmctld does not know gives undefined, as 500 and as 404', async () => {
    await withClient(
      (_, r) => json(r, 500, failed(2017)),
      async (client) => expect(await client.getJob('7')).toBeUndefined(),
    );
    await withClient(
      (_, r) => json(r, 404, { jobs: [], ...failed(2017) }),
      async (client) => expect(await client.getJob('7')).toBeUndefined(),
    );
  });

  test('of a job with a dead controller is not "unknown job"', async () => {
    await withClient(
      (_, r) => json(r, 500, failed(-1)),
      async (client) => {
        await expect(client.getJob('7')).rejects.toMatchObject({ kind: 'unavailable' });
      },
    );
  });

  test('that gives no list at all is an error, never "no jobs"', async () => {
    await withClient(
      (_, r) => json(r, 200, { errors: [] }),
      async (client) => {
        await expect(client.listJobs()).rejects.toMatchObject({ kind: 'protocol' });
      },
    );
  });

  test('in slurmdbd by name says since when, so that midnight loses nothing', async () => {
    const since = new Date(1_700_000_000_000);
    await withClient(noJobs, async (client, received) => {
      await client.accountingJobsByName('a.b-c', { since });
      expect(urls(received)).toEqual([
        'GET /slurmdb/v0.0.42/jobs/?job_name=a.b-c&start_time=uts1700000000&show_duplicates=true&usage_time_as_submit_time=true',
      ]);
    });
    await withClient(
      noJobs,
      async (client, received) => {
        await client.accountingJobsByName('a.b-c', { since });
        expect(urls(received)).toEqual(['GET /slurmdb/v0.0.38/jobs/?job_name=a.b-c&start_time=uts1700000000']);
      },
      { apiVersion: 'v0.0.38' },
    );
  });

  test('in slurmdbd that finds nothing gives an empty list, as 9003 (22.05) and as a warning (24.11)', async () => {
    const warned = { jobs: [], errors: [], warnings: [{ description: 'found nothing', source: 'x' }] };
    const read = async (client: SlurmClient) => expect(await client.accountingJobs({ id: '7' })).toEqual([]);
    await withClient((_, r) => json(r, 200, { jobs: [], ...failed(9003, 'Nothing found') }), read);
    await withClient((_, r) => json(r, 200, warned), read);
  });

  test('in slurmdbd by id gives every life of the job, oldest first', async () => {
    await withClient(
      (_, r) => json(r, 200, { jobs: [life(200, 'COMPLETED'), life(100, 'PREEMPTED')], errors: [] }),
      async (client) => {
        expect((await client.accountingJobs({ id: '7' })).map((job) => job.state)).toEqual(['PREEMPTED', 'COMPLETED']);
      },
    );
  });

  test('in a slurmdbd that is down or rejects the token is told apart (both 502, 7000)', async () => {
    await withClient(
      (_, r) => json(r, 502, failed(7000, 'Unable to connect to database')),
      async (client) => {
        await expect(client.accountingJobs({ id: '7' })).rejects.toMatchObject({ kind: 'unavailable' });
      },
    );
    await withClient(
      (_, r) => json(r, 502, failed(7000, 'Protocol authentication error')),
      async (client) => {
        await expect(client.accountingJobs({ id: '7' })).rejects.toMatchObject({ kind: 'auth' });
      },
    );
  });

  describe('in a slurmdbd of 26.05, which calls a rejected token a missing database (7000)', () => {
    const answering =
      (check: Script, rows: Script): Script =>
      (request, r, before) =>
        (request.url.includes('/slurmdb/') ? rows : check)(request, r, before);
    const silent: Script = (_, r) => json(r, 502, failed(7000, 'Unable to connect to database'));
    const rejected: Script = (_, r) => json(r, 511, failed(1007, 'Protocol authentication error'));

    test('is an authentication error if slurmctld rejects the token too', async () => {
      await withClient(answering(rejected, silent), async (client) => {
        await expect(client.accountingJobs({ id: '7' })).rejects.toMatchObject({ kind: 'auth', number: 7000 });
      });
    });

    test('is asked again with a new token, which may be what was missing', async () => {
      const script = answering(rejected, (request, r, before) => (before === 0 ? silent : noJobs)(request, r, before));
      await withClient(script, async (client) => expect(await client.accountingJobs({ id: '7' })).toEqual([]));
    });

    test.each<[string, Script]>([
      ['takes the token', noJobs],
      ['knows no such job', (_, r) => json(r, 404, failed(2017))],
      ['does not answer either', (_, r) => json(r, 500, failed(-1))],
    ])('is an outage if slurmctld %s', async (_, check) => {
      await withClient(answering(check, silent), async (client, received) => {
        await expect(client.accountingJobs({ id: '7' })).rejects.toMatchObject({ kind: 'unavailable', number: 7000 });
        expect(received).toHaveLength(2);
      });
    });
  });

  test('in a server without accounting says which path is missing', async () => {
    await withClient(
      (_, r) => plain(r, 404, 'Unable find requested URL'),
      async (client) => {
        await expect(client.accountingJobs({ id: '7' })).rejects.toThrow(/look up job 7 in slurmdbd.*404/);
      },
    );
  });
});

describe('an update', () => {
  test('uses each family’s names', async () => {
    const change = { comment: 'c', timeLimitMinutes: 5, excludedNodes: ['n1', 'n2'] };
    const bodies: unknown[] = [];
    for (const apiVersion of ['v0.0.38', 'v0.0.42'] as const) {
      await withClient(
        (_, r) => json(r, 200, { errors: [] }),
        async (client, received) => {
          await client.updateJob('7', change);
          bodies.push(JSON.parse(received[0]?.body ?? ''));
        },
        { apiVersion },
      );
    }
    expect(bodies).toEqual([
      { comment: 'c', time_limit: 5, exclude_nodes: 'n1,n2' },
      { comment: 'c', time_limit: { set: true, number: 5 }, excluded_nodes: ['n1', 'n2'] },
    ]);
  });

  test('that a frozen controller leaves without an answer (1000) may yet be made', async () => {
    await withClient(
      (_, r) => json(r, 500, failed(1000, 'Unexpected message received')),
      async (client) => {
        const lost = { kind: 'ambiguous', delivery: 'unknown', number: 1000 };
        await expect(client.updateJob('7', { comment: 'c' })).rejects.toMatchObject(lost);
      },
    );
  });

  test('that releases a job is refused on v0.0.38, which cannot', async () => {
    await withClient(
      (_, r) => json(r, 200, {}),
      async (client) => {
        await expect(client.updateJob('7', { hold: false })).rejects.toMatchObject({ kind: 'refused' });
      },
      { apiVersion: 'v0.0.38' },
    );
  });
});

describe('ping', () => {
  test('says down when the controller is down, with 200 (24.11) and with 500 (22.05)', async () => {
    const down = [{ hostname: 'c1', pinged: 'DOWN', mode: 'primary' }];
    await withClient(
      (_, r) => json(r, 200, { pings: down, errors: [] }),
      async (client) => expect((await client.ping()).up).toBe(false),
    );
    await withClient(
      (_, r) => json(r, 500, failed(-1)),
      async (client) => expect((await client.ping()).up).toBe(false),
    );
  });
});
