/**
 * Folder lease: of all processes and machines that share a folder, one holds it at a time. The folder `holder` in it has one empty file, named
 * after its owner and a number. Every step is one rename, which the file server does for only one caller, whatever a machine remembers of the
 * folder. To take it: a folder that is not empty is not replaced. To renew it or take it over: a name that is gone is not renamed. To renew
 * gives the file its next number. Others see names change in listings, which are fresh even if file times and contents are not. The clock of
 * another machine never counts.
 *
 * A process takes the lease over if it sees the same name for `staleMs`, or the holder's process is gone from this machine. It renames exactly
 * that name; if the lease was renewed meanwhile, that fails. A holder that stood still (SIGSTOP, a hung file system) then finds its own name
 * gone at its next `check`, and must do nothing more.
 *
 * kill -9 of the holder: on the same machine the next one takes over at once, elsewhere after `staleMs`. While it takes the lease: a folder
 * `holder.<token>` stays that nobody reads. While it frees it: an empty `holder` stays, which is free.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { whenListed } from '../../files/fresh-look.ts';
import { hasCode } from './durable-file.ts';
import { passing } from '../failure.ts';

export interface LeaseTimes {
  renewMs: number;
  staleMs: number;
  pollMs: number;
}
export const usualTimes: LeaseTimes = { renewMs: 5000, staleMs: 30_000, pollMs: 250 };

const holder = 'holder';
/** A renewal that the server confirmed within this share of `renewMs`, by both clocks, is proof enough: hundreds of requests a second ask. */
const proofShare = 0.2;

export class FolderLease {
  readonly #folder: string;
  readonly #owner: string;
  readonly #timer: NodeJS.Timeout;
  readonly #proofMs: number;
  #number = 0;
  #renewing: Promise<boolean> | undefined;
  #proven = clocks();

  private constructor(folder: string, owner: string, renewMs: number) {
    this.#folder = folder;
    this.#owner = owner;
    this.#proofMs = renewMs * proofShare;
    // A renewal that fails did not happen: others see that the name stays, and `check` tells the holder.
    this.#timer = setInterval(() => void this.#renew().catch(() => undefined), renewMs);
  }

  /** Waits until the folder is free. `onWait` is called if it is not. Rejects with the signal's reason. */
  static async take(
    folder: string,
    signal: AbortSignal,
    { onWait, ...times }: LeaseTimes & { onWait?: () => void } = usualTimes,
  ): Promise<FolderLease> {
    const owner = await ownName();
    const sight = new Sight(times.staleMs);
    for (;;) {
      signal.throwIfAborted();
      const names = await whenListed(folder, holder, (path) => readdir(path), 0);
      const [name] = names ?? [];
      const taken =
        name === undefined
          ? await claimed(folder, owner)
          : (await sight.isDead(name)) && (await renamed(join(folder, holder, name), nameOf(folder, owner, 0)));
      if (taken) return new FolderLease(folder, owner, times.renewMs);
      onWait?.();
      await sleep(times.pollMs, undefined, { signal });
    }
  }

  /** Throws a retryable `Superseded` if somebody else has taken the folder over. */
  async check(): Promise<void> {
    if (isWithin(this.#proven, this.#proofMs) || (await this.#renew())) return;
    throw passing(
      'Superseded',
      `another worker has taken over "${join(this.#folder, holder)}" while this one stood still; nothing more is done here`,
    );
  }

  /** Frees the folder, unless somebody else holds it by now. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing?.catch(() => undefined);
    try {
      await unlink(nameOf(this.#folder, this.#owner, this.#number));
      await rmdir(join(this.#folder, holder));
    } catch (error) {
      // Somebody else holds it: its name is not ours, or its file is in the folder already.
      if (!hasCode(error, 'ENOENT') && !isOccupied(error)) throw error;
    }
  }

  /** False if the name is gone, because the folder was taken over. It runs one at a time, and all who ask meanwhile share the answer. */
  #renew(): Promise<boolean> {
    this.#renewing ??= this.#next().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #next(): Promise<boolean> {
    const begun = clocks();
    const next = this.#number + 1;
    const mine = await renamed(
      nameOf(this.#folder, this.#owner, this.#number),
      nameOf(this.#folder, this.#owner, next),
    );
    if (!mine) return false;
    this.#number = next;
    this.#proven = begun;
    return true;
  }
}

/** Makes a folder with our name in it and renames it to `holder`; false if there is a holder. */
async function claimed(folder: string, owner: string): Promise<boolean> {
  const own = join(folder, `${holder}.${randomUUID()}`);
  await mkdir(own, { mode: 0o750 });
  try {
    await writeFile(join(own, `${owner}~0`), '', { mode: 0o640 });
    await rename(own, join(folder, holder));
    return true;
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    if (isOccupied(error)) return false;
    throw error;
  }
}

/** What one waiting process sees of the holder, by its own monotonic clock. */
class Sight {
  readonly #staleMs: number;
  #name = '';
  #since = 0;

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  /** Is the holder's process gone from this machine, or has the name been the same for `staleMs`? */
  async isDead(name: string): Promise<boolean> {
    const now = performance.now();
    if (name !== this.#name) {
      this.#name = name;
      this.#since = now;
    }
    const [host, pid = '', started] = name.split('~');
    if (host === ownHost() && (await startOf(pid)) !== started) return true;
    return now - this.#since >= this.#staleMs;
  }
}

function nameOf(folder: string, owner: string, number: number): string {
  return join(folder, holder, `${owner}~${number}`);
}

/** `host~pid~start~token`, unique to one holding. */
async function ownName(): Promise<string> {
  return [ownHost(), process.pid, await startOf('self'), randomUUID()].join('~');
}

function ownHost(): string {
  return hostname().replace(/[^A-Za-z0-9._-]/g, '_');
}

/** False if `from` is not there. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function isOccupied(error: unknown): boolean {
  return hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST');
}

/** Both clocks: on a machine that was suspended only the second one shows it. */
function clocks(): { monotonic: number; wall: number } {
  return { monotonic: performance.now(), wall: Date.now() };
}

function isWithin({ monotonic, wall }: ReturnType<typeof clocks>, ms: number): boolean {
  return performance.now() - monotonic < ms && Math.abs(Date.now() - wall) < ms;
}

/** When a process started, in clock ticks since boot (field 22 of /proc/<pid>/stat). '' if there is none, or only a zombie. */
async function startOf(pid: string): Promise<string> {
  try {
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\)/s, '').trim().split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return '';
    throw error;
  }
}
