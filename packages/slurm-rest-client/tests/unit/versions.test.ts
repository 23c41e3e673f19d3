/** Finding out which version a server speaks, and keeping to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { apiVersions, SlurmClient } from '../../src/index.ts';
import { failed, json, plain, scriptedServer, smallJob, urls, withClient, type Script } from './scripted-server.ts';

/** A server that speaks the given versions; other paths are the HTTP layer's 404. */
function speaking(versions: () => string[], answer: Script): Script {
  return (request, response, before) => {
    const version = request.url.split('/')[2] ?? '';
    if (versions().includes(version)) answer(request, response, before);
    else plain(response, 404, 'Unable find requested URL');
  };
}

const pong: Script = (_, response) =>
  json(response, 200, {
    meta: { slurm: { release: '24.11.5', cluster: 'c1' } },
    pings: [{ hostname: 'c1', pinged: 'UP', mode: 'primary' }],
    jobs: [],
    errors: [],
    warnings: [],
  });

describe('the version', () => {
  test('is the highest that both sides speak', async () => {
    await withClient(
      speaking(() => ['v0.0.40', 'v0.0.41', 'v0.0.42'], pong),
      async (client, received) => {
        expect(await client.connect()).toEqual({ apiVersion: 'v0.0.42', release: '24.11.5', cluster: 'c1' });
        expect(urls(received)).toEqual([45, 44, 43, 42].map((minor) => `GET /slurm/v0.0.${minor}/ping/`));
      },
      { apiVersion: undefined },
    );
  });

  test('is found once for all calls at the same time', async () => {
    await withClient(
      speaking(() => ['v0.0.45'], pong),
      async (client, received) => {
        await Promise.all([client.listJobs(), client.listJobs(), client.ping()]);
        expect(urls(received).filter((url) => url.includes('ping'))).toHaveLength(2);
      },
      { apiVersion: undefined },
    );
  });

  test('is found on a 22.05 whose controller is down', async () => {
    await withClient(
      speaking(
        () => ['v0.0.38'],
        (_, r) => json(r, 500, { meta: { Slurm: { release: '22.05.8' } }, ...failed(-1) }),
      ),
      async (client) => {
        expect(await client.connect()).toEqual({ apiVersion: 'v0.0.38', release: '22.05.8', cluster: '' });
      },
      { apiVersion: undefined },
    );
  });

  test('is found again when a path is gone, and the call repeated', async () => {
    let versions = ['v0.0.42'];
    await withClient(
      speaking(() => versions, pong),
      async (client) => {
        await client.listJobs();
        versions = ['v0.0.45'];
        expect(await client.listJobs()).toEqual([]);
        expect(client.server?.apiVersion).toBe('v0.0.45');
      },
      { apiVersion: undefined },
    );
  });

  test('is not looked for when it was given', async () => {
    await withClient(
      speaking(() => ['v0.0.42'], pong),
      async (client, received) => {
        await client.listJobs();
        expect(urls(received)).toEqual(['GET /slurm/v0.0.42/jobs/']);
        expect(client.server?.release).toBe('24.11.5');
      },
    );
  });

  test('that nobody here speaks is an error that says which we do', async () => {
    await withClient(
      speaking(() => ['v0.0.46'], pong),
      async (client) => {
        await expect(client.connect()).rejects.toThrow(apiVersions.join(', '));
      },
      { apiVersion: undefined },
    );
  });

  test.each<[string, Script]>([
    ['a page of a proxy with HTTP 200', (_, r) => plain(r, 200, '<html>welcome</html>')],
    ['half an answer', (_, r) => plain(r, 200, '{"meta":{"slurm":{"release":"24.')],
    ['a page of a proxy with HTTP 400', (_, r) => plain(r, 400, 'Bad Request')],
    ['JSON of somebody else', (_, r) => json(r, 503, { message: 'no healthy upstream' })],
  ])(
    'that one garbled answer hides (%s) is looked for again: nothing was sent, nothing is refused',
    async (_, garbled) => {
      let first = true;
      await withClient(
        (request, response, before) => {
          if (first) garbled(request, response, before);
          else if (request.method === 'POST') json(response, 200, { job_id: 41, errors: [] });
          else speaking(() => ['v0.0.42'], pong)(request, response, before);
          first = false;
        },
        async (client, received) => {
          await expect(client.submit(smallJob)).rejects.toMatchObject({
            kind: 'unavailable',
            delivery: 'not-delivered',
          });
          expect(urls(received).filter((url) => url.startsWith('POST'))).toEqual([]);
          expect(await client.submit(smallJob)).toMatchObject({ jobId: '41' });
        },
        { apiVersion: undefined },
      );
    },
  );

  test('is not guessed from a rejected token', async () => {
    await withClient(
      (_, r) => plain(r, 401, 'Authentication failure'),
      async (client) => {
        await expect(client.connect()).rejects.toMatchObject({ kind: 'auth' });
      },
      { apiVersion: undefined },
    );
  });
});

describe('the pool', () => {
  test('opens no more than its four sockets however much is asked', async () => {
    let open = 0;
    let most = 0;
    const script: Script = (_, r) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open -= 1;
        json(r, 200, { jobs: [], errors: [] });
      }, 5);
    };
    await withClient(script, async (client) => {
      await Promise.all(Array.from({ length: 40 }, async () => client.listJobs()));
      expect(most).toBe(4);
    });
  });

  test('keeps a path prefix of the base URL', async () => {
    const server = await scriptedServer((_, r) => json(r, 200, { jobs: [], errors: [] }));
    const client = new SlurmClient({ baseUrl: `${server.url}/hpc/`, apiVersion: 'v0.0.42' });
    await client.listJobs();
    expect(urls(server.received)).toEqual(['GET /hpc/slurm/v0.0.42/jobs/']);
    expect(server.received[0]?.headers).not.toHaveProperty('x-slurm-user-name');
    await client.close();
    await server.close();
  });

  test('reaches a slurmrestd on a unix socket, without any token', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'srk-'));
    const path = join(folder, 's');
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.url} ${String(request.headers['x-slurm-user-token'])}`);
      json(response, 200, { jobs: [], errors: [] });
    });
    await new Promise<void>((resolve) => {
      server.listen(path, resolve);
    });
    const client = new SlurmClient({ baseUrl: 'http://localhost', socketPath: path, apiVersion: 'v0.0.42' });
    expect(await client.listJobs()).toEqual([]);
    expect(seen).toEqual(['/slurm/v0.0.42/jobs/ undefined']);
    await client.close();
    server.close();
    const gone = new SlurmClient({ baseUrl: 'http://localhost', socketPath: `${path}-gone`, apiVersion: 'v0.0.42' });
    await expect(gone.submit(smallJob)).rejects.toMatchObject({ kind: 'unavailable', delivery: 'not-delivered' });
    await gone.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('takes no credentials in its URL, where they would be logged', () => {
    expect(() => new SlurmClient({ baseUrl: 'http://alice:secret@h:1/' })).toThrow(/credentials/);
  });
});
