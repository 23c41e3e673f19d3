/**
 * Folder lease: one holder of a folder at a time, among all processes and machines that share it. The holder renews a file
 * `lease`; whoever finds it not renewed for `staleMs`, or its process gone from this machine, takes it over.
 *
 * kill -9 of the holder: on the same machine the next one takes over at once, elsewhere after `staleMs`; while it is being
 * taken: a file `lease.<token>` stays that nobody reads. A holder that stood still (SIGSTOP, a hung file system) and goes on
 * finds out at its next `check`, and must do nothing more.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { hasCode, readIfPresent } from './durable-file.ts';

export interface LeaseTimes {
  renewMs: number;
  staleMs: number;
  pollMs: number;
}
export const usualTimes: LeaseTimes = { renewMs: 5000, staleMs: 30_000, pollMs: 250 };

const ownerSchema = z.object({ token: z.string(), host: z.string(), pid: z.int(), started: z.string() });
type Owner = z.output<typeof ownerSchema>;

export class FolderLease {
  readonly #path: string;
  readonly #token: string;
  readonly #file: FileHandle;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, owner: Owner, file: FileHandle, renewMs: number) {
    this.#path = path;
    this.#token = owner.token;
    this.#file = file;
    const content = JSON.stringify(owner);
    // A renewal that fails is one that did not happen: others see the lease go stale, `check` tells the holder.
    this.#timer = setInterval(() => void file.write(content, 0).catch(() => undefined), renewMs);
  }

  /** Waits until the folder is free; `onWait` is told when it is not. Rejects with the signal's reason. */
  static async take(
    folder: string,
    signal: AbortSignal,
    { onWait, ...times }: LeaseTimes & { onWait?: () => void } = usualTimes,
  ): Promise<FolderLease> {
    for (;;) {
      signal.throwIfAborted();
      const lease = await FolderLease.#tryTake(join(folder, 'lease'), times);
      if (lease !== undefined) return lease;
      onWait?.();
      await sleep(times.pollMs, undefined, { signal });
    }
  }

  static async #tryTake(path: string, times: LeaseTimes): Promise<FolderLease | undefined> {
    const owner = { token: randomUUID(), host: hostname(), pid: process.pid, started: await startOf('self') };
    const own = `${path}.${owner.token}`;
    const file = await open(own, 'wx', 0o640);
    let taken = false;
    try {
      await file.write(JSON.stringify(owner), 0);
      taken = (await isFree(path, own, times.staleMs)) && (await linked(own, path));
      return taken ? new FolderLease(path, owner, file, times.renewMs) : undefined;
    } finally {
      if (!taken) await file.close();
      await unlink(own);
    }
  }

  /** Throws a retryable `Superseded` if somebody else has taken the folder over. */
  async check(): Promise<void> {
    const text = await readIfPresent(this.#path);
    if (text !== undefined && readOwner(text)?.token === this.#token) return;
    throw ApplicationFailure.retryable(
      `another worker has taken over "${this.#path}" while this one stood still; nothing more is done here`,
      'Superseded',
    );
  }

  /** Frees the folder, unless it is somebody else's by now. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    const text = await readIfPresent(this.#path);
    if (text !== undefined && readOwner(text)?.token === this.#token) await unlink(this.#path);
    await this.#file.close();
  }
}

/** Whether no living holder has it. A lease that is not alive is moved out of the way; of two that do so, one gets it. */
async function isFree(path: string, own: string, staleMs: number): Promise<boolean> {
  // Reading it makes a network file system look at the file itself: its age is fresh then.
  const text = await readIfPresent(path);
  if (text === undefined) return true;
  const owner = readOwner(text);
  const isGone = owner?.host === hostname() && (await startOf(String(owner.pid))) !== owner.started;
  // Both times are the file server's: clocks of machines differ.
  const ageMs = (await stat(own)).mtimeMs - ((await mtimeMs(path)) ?? 0);
  if (!isGone && ageMs < staleMs) return false;
  try {
    await rename(path, `${own}.old`);
    await unlink(`${own}.old`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return true;
}

/** Creates `path` as a second name of `own`; false if there is one already. */
async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function mtimeMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The owner, or undefined if the file is torn: whoever wrote it is renewing it or will go stale. */
function readOwner(text: string): Owner | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** When a process started, in clock ticks since boot (field 22 of /proc/<pid>/stat); '' if there is none or it is a zombie. */
async function startOf(pid: string): Promise<string> {
  try {
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\)/s, '').trim().split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return '';
    throw error;
  }
}
