/**
 * Where tokens come from. A token is read for each request and renewed at half its life. If many ask at the same time, it is fetched
 * once. It never appears in a message.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { SlurmError } from './errors.ts';

/** Slurm's tokens have some 150 bytes. Those of a site's own authority, with keys and claims, have a few thousand. */
const maxTokenBytes = 64 * 1024;

/** Returns the current token. */
export interface TokenProvider {
  token(): Promise<string>;
  /** The server did not accept the token: the next call must not return it from memory. */
  invalidate(): void;
}

/** One token for as long as the client lives, e.g. for a test. */
export function staticToken(token: string): TokenProvider {
  const trimmed = token.trim();
  return { token: async () => trimmed, invalidate: () => undefined };
}

/** A token in a file that somebody else keeps fresh. It is read again whenever the file changes. Holds `eyJ...` or `SLURM_JWT=eyJ...`. */
export function fileToken(path: string): TokenProvider {
  let known: { stamp: string; token: string } | undefined;
  return {
    async token() {
      try {
        const { mtimeMs, size, ino } = await stat(path);
        const stamp = `${mtimeMs} ${size} ${ino}`;
        if (known?.stamp !== stamp) known = { stamp, token: parseToken(await readTokenFile(path)) };
        return known.token;
      } catch (error) {
        throw noToken(`read token file ${path}`, error);
      }
    },
    invalidate() {
      known = undefined;
    },
  };
}

/** A pipe or a device in place of the file would block a thread, or never end. */
async function readTokenFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new TypeError('is no regular file');
    if (stats.size > maxTokenBytes) throw new TypeError(`holds ${stats.size} bytes, more than ${maxTokenBytes}`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxTokenBytes), 0, maxTokenBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

export interface CommandTokenOptions {
  /** Gives up after this long, ms. Default 20 000: `scontrol token` waits for slurmctld. */
  timeoutMs?: number;
  /** Environment of the command, e.g. with SLURM_CONF. Default: this process's. */
  env?: NodeJS.ProcessEnv;
  now?: () => number;
}

/**
 * A token from a command, e.g. `['scontrol', 'token', 'lifespan=600']`. It is run without a shell and prints `SLURM_JWT=eyJ...` or only
 * the token. It is run again at half the token's life. If that fails while the old token is still valid, the old one is used on.
 */
export function commandToken(argv: readonly string[], options: CommandTokenOptions = {}): TokenProvider {
  const { timeoutMs = 20_000, env, now = Date.now } = options;
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('commandToken: the command is empty');
  let known: { token: string; renewAt: number; expiresAt: number } | undefined;
  let underWay: Promise<string> | undefined;

  async function fetchToken(): Promise<string> {
    try {
      const token = parseToken(await run(file ?? '', args, { timeout: timeoutMs, env }));
      const { issuedAt = now(), expiresAt = Infinity } = tokenTimes(token);
      // Slurm's clock may be ahead of ours. No token was made after it was fetched, and it ends by Slurm's clock.
      const ahead = Math.max(0, issuedAt - now());
      known = { token, renewAt: (issuedAt + expiresAt) / 2 - ahead, expiresAt: expiresAt - ahead };
      return token;
    } catch (error) {
      if (known !== undefined && now() < known.expiresAt) return known.token;
      throw noToken(`run token command ${file}`, error);
    } finally {
      underWay = undefined;
    }
  }

  return {
    async token() {
      if (known !== undefined && now() < known.renewAt) return known.token;
      underWay ??= fetchToken();
      return underWay;
    },
    invalidate() {
      known = undefined;
    },
  };
}

/** `iat` and `exp` of a JWT in ms since the epoch. Undefined if absent or unreadable. Nothing is verified. */
export function tokenTimes(token: string): { issuedAt: number | undefined; expiresAt: number | undefined } {
  const claims = decodeClaims(token.split('.')[1] ?? '');
  const seconds = (key: string): number | undefined => {
    const value = claims[key];
    return typeof value === 'number' && Number.isFinite(value) ? value * 1000 : undefined;
  };
  return { issuedAt: seconds('iat'), expiresAt: seconds('exp') };
}

function decodeClaims(part: string): Record<string, unknown> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch (error) {
    // It is not a JWT. Such a token has no times, and the server will say whether it is good.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Replaces anything that looks like a JWT with `[token]`, in other programs' text that goes into messages. */
export function redact(text: string, ...secrets: string[]): string {
  const withoutJwts = text.replaceAll(/eyJ[\w-]*\.[\w-]*(?:\.[\w-]*)?/g, '[token]');
  return secrets
    .filter((secret) => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '[token]'), withoutJwts);
}

function parseToken(text: string): string {
  const line = text.split('\n').find((candidate) => candidate.trim() !== '') ?? '';
  const token = line.trim().replace(/^SLURM_JWT=/, '');
  if (token === '' || /[^\u0021-\u007e]/.test(token)) throw new TypeError('holds no token on its first line');
  return token;
}

function run(
  file: string,
  args: string[],
  options: { timeout: number; env: NodeJS.ProcessEnv | undefined },
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { ...options, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      // A new error is made, since Node's own holds the command's arguments and output.
      const why =
        error.killed === true ? `no answer in ${options.timeout} ms` : `exit ${error.code ?? '?'}: ${stderr.trim()}`;
      reject(new Error(why));
    });
  });
}

function noToken(what: string, error: unknown): SlurmError {
  const why = redact(error instanceof Error ? error.message : String(error));
  return new SlurmError(`${what}: ${why}`, { kind: 'auth', delivery: 'not-delivered', source: 'client' });
}
