/** DELETE, and not being fooled by its 200. */
import { describe, expect, test } from 'vitest';
import type { ApiVersion } from '../../src/index.ts';
import { failed, json, urls, withClient, type Script } from './scripted-server.ts';

describe('cancel', () => {
  const rows: [string, ApiVersion, Script, object][] = [
    ['is accepted on 22.05', 'v0.0.38', (_, r) => json(r, 200, { errors: [] }), { outcome: 'accepted' }],
    [
      'of an unknown job on 22.05 says so',
      'v0.0.38',
      (_, r) => json(r, 500, failed(2017)),
      { outcome: 'unknown-job', number: 2017 },
    ],
    [
      'on v0.0.41 can only be accepted, which proves nothing',
      'v0.0.41',
      (_, r) => json(r, 200, { errors: [] }),
      { outcome: 'accepted' },
    ],
    [
      'of an unknown job on 24.11 is not fooled by the 200',
      'v0.0.42',
      killed(2017),
      { outcome: 'unknown-job', number: 2017 },
    ],
    ['of a finished job on 24.11 says so', 'v0.0.42', killed(2021), { outcome: 'already-done', number: 2021 }],
    [
      "of another user's job on 24.11 is not fooled by the 200",
      'v0.0.42',
      killed(2002),
      { outcome: 'refused', number: 2002 },
    ],
    ['of a running job on 24.11 is accepted', 'v0.0.42', killed(0), { outcome: 'accepted' }],
    ['refused by a live controller is refused', 'v0.0.42', dead('UP'), { outcome: 'refused', number: 1 }],
  ];
  test.each(rows)('%s', async (_, apiVersion, script, expected) => {
    await withClient(script, async (client) => expect(await client.cancel('41')).toMatchObject(expected), {
      apiVersion,
    });
  });

  test('refused by a dead controller (error 1 on 24.11) is an outage', async () => {
    await withClient(dead('DOWN'), async (client) => {
      await expect(client.cancel('41')).rejects.toMatchObject({ kind: 'unavailable', number: 1 });
    });
  });

  test('that times out is ambiguous', async () => {
    await withClient(
      (_, r) => json(r, 504, failed(5004)),
      async (client) => {
        await expect(client.cancel('41')).rejects.toMatchObject({ kind: 'ambiguous', delivery: 'unknown' });
      },
    );
  });
});

describe('a signal', () => {
  test.each([
    ['v0.0.38', 'DELETE /slurm/v0.0.38/job/41?signal=USR2'],
    ['v0.0.42', 'DELETE /slurm/v0.0.42/job/41?signal=USR2&flags=FULL_JOB'],
  ] as const)('of %s goes to shell and steps', async (apiVersion, url) => {
    await withClient(
      (_, r) => json(r, 200, { errors: [] }),
      async (client, received) => {
        await client.signal('41', 'USR2');
        expect(urls(received)).toEqual([url]);
      },
      { apiVersion },
    );
  });

  test('to the batch shell alone is refused on v0.0.38, which would signal all', async () => {
    await withClient(
      (_, r) => json(r, 200, {}),
      async (client, received) => {
        await expect(client.signal('41', 'USR2', 'batch')).rejects.toMatchObject({ kind: 'refused' });
        expect(received).toEqual([]);
      },
      { apiVersion: 'v0.0.38' },
    );
  });
});

function killed(code: number): Script {
  return (_, r) =>
    json(r, 200, {
      errors: [],
      status: [{ error: { string: 'x', code, message: 'y' }, step_id: { job_id: { number: 41 } } }],
    });
}
function dead(pinged: string): Script {
  return (request, r) =>
    request.method === 'DELETE'
      ? json(r, 500, failed(1, 'Operation not permitted'))
      : json(r, 200, { pings: [{ hostname: 'c1', pinged, mode: 'primary' }], errors: [] });
}
