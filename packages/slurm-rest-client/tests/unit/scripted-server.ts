/** A real HTTP server that answers as told: for what a real slurmrestd cannot be made to say. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SlurmClient, staticToken, type JobSubmission, type SlurmClientOptions } from '../../src/index.ts';

export interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Answers one request. Gets the request and how many of its kind (method and path without query) came before. */
export type Script = (request: Received, response: ServerResponse, before: number) => void;

export async function scriptedServer(script: Script) {
  const received: Received[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const request = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      const before = received.filter((other) => other.method === method && other.url === url).length;
      received.push(request);
      script(request, response, before);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = addressOf(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address;
}

/** Runs with a client of a scripted server; both are closed afterwards. */
export async function withClient<T>(
  script: Script,
  run: (client: SlurmClient, received: Received[]) => Promise<T>,
  options: Partial<SlurmClientOptions> = {},
): Promise<T> {
  const server = await scriptedServer(script);
  const client = new SlurmClient({
    baseUrl: server.url,
    auth: { userName: 'alice', token: staticToken('the-token') },
    apiVersion: 'v0.0.42',
    ...options,
  });
  try {
    return await run(client, server.received);
  } finally {
    await server.close();
    await client.close();
  }
}

/** `GET /slurm/...` of each request. */
export function urls(received: Received[]): string[] {
  return received.map((request) => `${request.method} ${request.url}`);
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(text);
}

/** An answer with one error, as v0.0.40+ spells it. */
export function failed(number: number, description = 'as scripted') {
  return { errors: [{ error_number: number, error: description, source: 'scripted' }], warnings: [] };
}

export const smallJob: JobSubmission = {
  name: 'critic-7-sft-a1',
  script: '#!/bin/bash\nexit 0\n',
  environment: { PATH: '/usr/bin:/bin' },
  currentWorkingDirectory: '/scratch/run',
  standardOutput: '/scratch/run/job.log',
  openMode: 'append',
  nodes: 1,
  tasks: 1,
  cpusPerTask: 2,
  timeLimitMinutes: 10,
  excludedNodes: [],
  requeue: false,
  comment: 'critic run 7',
};

export const fullJob: JobSubmission = {
  ...smallJob,
  partition: 'gpu',
  account: 'vision',
  qos: 'high',
  reservation: 'night',
  constraints: 'a100&ib',
  dependency: 'singleton',
  environment: { PATH: '/usr/bin:/bin', SLURM_UMASK: '0077' },
  standardError: '/scratch/run/job.err',
  nodes: 2,
  tasks: 2,
  cpusPerTask: 16,
  memoryPerNodeMiB: 200_000,
  gpus: { type: 'a100', countPerNode: 8 },
  timeLimitMinutes: 2880,
  excludedNodes: ['a100-7', 'a100-9'],
  exclusive: true,
  hold: true,
  warningSignal: { signal: 'USR2', secondsBefore: 300 },
};

/** An unsigned JWT that says when it was made and when it ends, seconds since the epoch. */
export function jwt(issuedAt: number, expiresAt: number): string {
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iat: issuedAt, exp: expiresAt, sun: 'alice' })}.c2lnbmF0dXJl`;
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
