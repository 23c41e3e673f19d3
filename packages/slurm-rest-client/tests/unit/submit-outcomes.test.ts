/** What a caller learns from each answer to a submit: above all whether there may be a job. */
import { describe, expect, test } from 'vitest';
import { SlurmError, staticToken, type ApiVersion } from '../../src/index.ts';
import { failed, json, jwt, plain, smallJob, withClient, type Script } from './scripted-server.ts';

const old = 'v0.0.38';
const now = 'v0.0.42';
const expired = jwt(1_000, 2_000);
const valid = jwt(1_000, 4_102_444_800);

interface Row {
  name: string;
  version: ApiVersion;
  answer: Script;
  token?: string;
  expect: { kind: string; delivery: string; number?: number };
}

const rows: Row[] = [
  {
    name: 'an invalid partition is refused although 22.05 calls it HTTP 500',
    version: old,
    answer: (_, r) => json(r, 500, { errors: [{ error_code: 2000, error: 'Invalid partition name specified' }] }),
    expect: { kind: 'refused', delivery: 'refused', number: 2000 },
  },
  {
    name: 'an invalid partition is refused although 24.11 calls it HTTP 500',
    version: now,
    answer: (_, r) => json(r, 500, failed(2000)),
    expect: { kind: 'refused', delivery: 'refused', number: 2000 },
  },
  {
    name: 'a refusal of 26.05 with HTTP 422 is the same refusal',
    version: 'v0.0.45',
    answer: (_, r) => json(r, 422, failed(2014)),
    expect: { kind: 'refused', delivery: 'refused', number: 2014 },
  },
  {
    name: 'an error under the key errno is read too',
    version: old,
    answer: (_, r) => json(r, 500, { errors: [{ errno: 2045, error: 'Invalid account' }] }),
    expect: { kind: 'refused', delivery: 'refused', number: 2045 },
  },
  {
    name: 'no controller (1800) means that nothing was delivered',
    version: old,
    answer: (_, r) => json(r, 500, failed(1800)),
    expect: { kind: 'unavailable', delivery: 'not-delivered', number: 1800 },
  },
  {
    name: 'no controller (1800, HTTP 502) is told from a proxy by its number',
    version: now,
    answer: (_, r) => json(r, 502, failed(1800)),
    expect: { kind: 'unavailable', delivery: 'not-delivered', number: 1800 },
  },
  {
    name: 'a socket timeout (5004) may yet create the job',
    version: now,
    answer: (_, r) => json(r, 504, failed(5004)),
    expect: { kind: 'ambiguous', delivery: 'unknown', number: 5004 },
  },
  {
    name: 'a socket timeout (5004) on 22.05 may yet create the job',
    version: old,
    answer: (_, r) => json(r, 500, failed(5004)),
    expect: { kind: 'ambiguous', delivery: 'unknown', number: 5004 },
  },
  {
    name: 'zero bytes (5005) with a valid token is ambiguous',
    version: old,
    token: valid,
    answer: (_, r) => json(r, 500, failed(5005)),
    expect: { kind: 'ambiguous', delivery: 'unknown', number: 5005 },
  },
  {
    name: 'zero bytes (5005) with an expired token is an authentication error, which by a wrong clock may have got through',
    version: old,
    token: expired,
    answer: (_, r) => json(r, 500, failed(5005)),
    expect: { kind: 'auth', delivery: 'unknown', number: 5005 },
  },
  {
    name: 'an expired token that slurmctld itself turned down (1007) got nothing through',
    version: now,
    token: expired,
    answer: (_, r) => json(r, 511, failed(1007)),
    expect: { kind: 'auth', delivery: 'refused', number: 1007 },
  },
  {
    name: 'an unspecified error (-1) is ambiguous',
    version: old,
    answer: (_, r) => json(r, 500, failed(-1)),
    expect: { kind: 'ambiguous', delivery: 'unknown', number: -1 },
  },
  {
    name: 'a named error beside -1 is the one that counts',
    version: old,
    answer: (_, r) => json(r, 500, { errors: [...failed(-1).errors, ...failed(2000).errors] }),
    expect: { kind: 'refused', delivery: 'refused', number: 2000 },
  },
  {
    name: 'HTTP 511 with 1007 is an authentication error',
    version: now,
    answer: (_, r) => json(r, 511, failed(1007)),
    expect: { kind: 'auth', delivery: 'refused', number: 1007 },
  },
  {
    name: 'a plain 401 is an authentication error',
    version: now,
    answer: (_, r) => plain(r, 401, 'Authentication failure'),
    expect: { kind: 'auth', delivery: 'refused' },
  },
  {
    name: 'a full job table (11) is for later',
    version: now,
    answer: (_, r) => json(r, 500, failed(11)),
    expect: { kind: 'throttled', delivery: 'refused', number: 11 },
  },
  {
    name: 'the rate limiter (1804) let nothing through',
    version: now,
    answer: (_, r) => json(r, 502, failed(1804)),
    expect: { kind: 'throttled', delivery: 'not-delivered', number: 1804 },
  },
  {
    name: 'an unknown key (22.05, HTTP 400 without a number) was not carried out',
    version: old,
    answer: (_, r) => json(r, 400, { errors: [{ error_number: 0, error: 'Unknown key "nodez"' }] }),
    expect: { kind: 'protocol', delivery: 'refused' },
  },
  {
    name: 'unparsable JSON (plain 400) was not carried out',
    version: now,
    answer: (_, r) => plain(r, 400, 'Unable to parse query.'),
    expect: { kind: 'protocol', delivery: 'refused' },
  },
  {
    name: "a proxy's 502 page is ambiguous",
    version: now,
    answer: (_, r) => plain(r, 502, '<html>Bad Gateway</html>'),
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
  {
    name: "a proxy's 504 page is ambiguous",
    version: now,
    answer: (_, r) => plain(r, 504, 'upstream timed out'),
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
  {
    name: "a proxy's 429 let nothing through",
    version: now,
    answer: (_, r) => plain(r, 429, 'slow down'),
    expect: { kind: 'throttled', delivery: 'not-delivered' },
  },
  {
    name: 'a 200 with half its JSON is ambiguous',
    version: now,
    answer: (_, r) => plain(r, 200, '{"job_id": 4'),
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
  {
    name: 'a 200 whose connection breaks in the body is ambiguous',
    version: now,
    answer: (_, r) => {
      r.writeHead(200, { 'content-type': 'application/json', 'content-length': '400' });
      r.write('{"job_id": 41');
      setTimeout(() => r.destroy(), 20);
    },
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
  {
    name: 'a 200 without a job id is ambiguous',
    version: now,
    answer: (_, r) => json(r, 200, { errors: [], warnings: [] }),
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
  {
    name: 'a 200 with an error and no job id is judged by the error',
    version: old,
    answer: (_, r) => json(r, 200, failed(2000)),
    expect: { kind: 'refused', delivery: 'refused', number: 2000 },
  },
  {
    name: 'a connection that is reset is ambiguous',
    version: now,
    answer: (_, r) => r.destroy(),
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
  {
    name: 'an answer that does not come in time is ambiguous',
    version: now,
    answer: () => undefined,
    expect: { kind: 'ambiguous', delivery: 'unknown' },
  },
];

describe('a submit', () => {
  test.each(rows)('$name', async ({ version, answer, token = 'the-token', expect: expected }) => {
    const auth = { userName: 'alice', token: staticToken(token) };
    await withClient(
      answer,
      async (client, received) => {
        const error = await client.submit(smallJob).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(SlurmError);
        expect(error).toMatchObject({ number: undefined, ...expected });
        expect(received.filter((request) => request.method === 'POST')).toHaveLength(1);
        expect(String(error)).toContain('submit job "critic-7-sft-a1"');
        expect(String(error)).not.toContain(token);
      },
      { apiVersion: version, auth, headersTimeoutMs: 300 },
    );
  });

  test('to a port where nobody listens was not delivered', async () => {
    await withClient(
      () => undefined,
      async (client) => {
        await expect(client.submit(smallJob)).rejects.toMatchObject({
          kind: 'unavailable',
          delivery: 'not-delivered',
          source: 'ECONNREFUSED',
        });
      },
      { baseUrl: 'http://127.0.0.1:1' },
    );
  });

  test('to a name that does not resolve was not delivered', async () => {
    await withClient(
      () => undefined,
      async (client) => {
        await expect(client.submit(smallJob)).rejects.toMatchObject({ kind: 'unavailable', delivery: 'not-delivered' });
      },
      { baseUrl: 'http://slurmrestd.invalid:6820' },
    );
  });

  test('that succeeds gives id, warnings and the message of a job_submit plugin', async () => {
    const warnings = [{ description: 'Ignoring unknown field "nodez"', source: '#/job/nodez/' }];
    await withClient(
      (_, r) => json(r, 200, { job_id: 41, job_submit_user_msg: 'be nice', warnings, errors: [] }),
      async (client) => {
        expect(await client.submit(smallJob)).toEqual({ jobId: '41', warnings, message: 'be nice' });
      },
    );
  });

  test('that creates a job and reports an error beside it is a success with a warning', async () => {
    await withClient(
      (_, r) => json(r, 200, { job_id: 41, errors: [{ error_code: 2015, error: 'not now' }] }),
      async (client) => {
        expect(await client.submit(smallJob)).toMatchObject({ jobId: '41', warnings: [{ description: 'not now' }] });
      },
      { apiVersion: old },
    );
  });

  test('with a warning is cancelled and fails in strict mode', async () => {
    const warnings = [{ description: 'Ignoring unknown field "nodez"', source: '#/job/nodez/' }];
    await withClient(
      (_, r) => json(r, 200, { job_id: 41, warnings, errors: [] }),
      async (client, received) => {
        await expect(client.submit(smallJob)).rejects.toThrow(/job 41 was created .* "nodez"/);
        expect(received.map((request) => `${request.method} ${request.url}`)).toEqual([
          'POST /slurm/v0.0.42/job/submit',
          'DELETE /slurm/v0.0.42/job/41',
        ]);
      },
      { strict: true },
    );
  });

  test('with a warning whose cancel fails too still says that there is a job', async () => {
    const warnings = [{ description: 'Ignoring unknown field "nodez"', source: '#/job/nodez/' }];
    await withClient(
      (request, r) =>
        request.method === 'POST' ? json(r, 200, { job_id: 41, warnings, errors: [] }) : json(r, 502, failed(1800)),
      async (client) => {
        const error: unknown = await client.submit(smallJob).catch((caught: unknown) => caught);
        expect(error).toMatchObject({ kind: 'protocol', delivery: 'unknown' });
        expect(String(error)).toMatch(/job 41 was created .* could not be cancelled .*1800/);
      },
      { strict: true },
    );
  });

  test('that cannot be said in v0.0.38 is not sent in strict mode', async () => {
    const job = { ...smallJob, warningSignal: { signal: 'USR2', secondsBefore: 60 } };
    await withClient(
      (_, r) => json(r, 200, { job_id: 41, errors: [] }),
      async (client, received) => {
        await expect(client.submit(job)).rejects.toMatchObject({ kind: 'refused', delivery: 'not-delivered' });
        expect(received).toEqual([]);
      },
      { strict: true, apiVersion: old },
    );
  });
});
