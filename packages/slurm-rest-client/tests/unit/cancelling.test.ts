/** DELETE, and not being fooled by its 200. */
import type { ServerResponse } from 'node:http';
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
    [
      'refused by a live controller is refused',
      'v0.0.42',
      (_, r) => json(r, 500, failed(2002)),
      { outcome: 'refused', number: 2002 },
    ],
  ];
  test.each(rows)('%s', async (_, apiVersion, script, expected) => {
    await withClient(script, async (client) => expect(await client.cancel('41')).toMatchObject(expected), {
      apiVersion,
    });
  });

  test.each([
    ['24.11', 'v0.0.42', 500],
    ['26.05', 'v0.0.45', 403],
  ] as const)(
    'that a frozen controller of %s lets end in error 1 may yet be carried out',
    async (_, apiVersion, status) => {
      await withClient(
        // By the time of a ping it may be awake again.
        (request, r) => (request.method === 'DELETE' ? json(r, status, failed(1, 'Operation not permitted')) : pong(r)),
        async (client, received) => {
          const lost = { kind: 'ambiguous', delivery: 'unknown', number: 1 };
          await expect(client.cancel('41')).rejects.toMatchObject(lost);
          await expect(client.signal('41', 'USR2')).rejects.toMatchObject(lost);
          expect(received).toHaveLength(2);
        },
        { apiVersion },
      );
    },
  );

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

  test('to the steps alone uses the word that the server knows: another one would reach the shell too', async () => {
    await withClient(
      (_, r) => json(r, 200, { errors: [] }),
      async (client, received) => {
        await client.signal('41', 'USR2', 'steps');
        expect(urls(received)).toEqual(['DELETE /slurm/v0.0.45/job/41?signal=USR2&flags=FULL_STEPS_ONLY']);
      },
      { apiVersion: 'v0.0.45' },
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
function pong(r: ServerResponse): void {
  json(r, 200, { pings: [{ hostname: 'c1', pinged: 'UP', mode: 'primary' }], errors: [] });
}
