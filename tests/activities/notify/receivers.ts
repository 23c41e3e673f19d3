/** Receivers of notices for tests: real HTTP servers on this machine, and secrets in files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
export const ok: Answer = (_request, response) => void response.writeHead(200).end();

export interface Receiver {
  url: string;
  seen: { headers: IncomingMessage['headers']; body: string }[];
  close: () => void;
}

/** A server that keeps what it gets, and answers as the test says. */
export async function receiver(answer: Answer): Promise<Receiver> {
  const seen: Receiver['seen'] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      seen.push({ headers: request.headers, body });
      answer(request, response, body);
    });
  });
  const port = await listening(server);
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/hook`, seen, close };
}

/** The port of a server that listens now. */
export async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server has such an address
  return (server.address() as AddressInfo).port;
}

/** Path of a file of mode 0600 with this secret. */
export function secretFile(folder: string, name: string, content: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}
