/**
 * Moments: time that passes only while everything waits, and a kill -9 before any one effect of an activity.
 *
 * A test file replaces two of Node's modules:
 *
 *   vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
 *   vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);
 *
 * Files are real. A life is one worker process: once it is killed, none of its effects happens any more, and nothing of it is
 * cleaned up. What a kill tears in the middle of one write is not shown: such files have temporary names.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, vi } from 'vitest';

interface Life {
  /** Effects so far, in words. */
  effects: string[];
  /** It dies before its effect of this number, from 0. */
  diesAt: number;
  isDead: boolean;
  died: () => void;
  /** Its open files; a kernel closes those of a process that is killed. */
  handles: { close: () => Promise<void> }[];
}

const lives = new AsyncLocalStorage<Life>();
/** File operations under way: time stands still until they are done. */
const busy = { count: 0 };

/** An effect is about to happen: resolves at once, or never if this life ends here or has ended. */
export async function effect(what: string): Promise<void> {
  const life = lives.getStore();
  if (life === undefined) return;
  if (!life.isDead && life.effects.length === life.diesAt) {
    life.isDead = true;
    life.died();
  }
  if (life.isDead) await new Promise<never>(() => undefined);
  life.effects.push(what);
}

/** Runs `work` to its end in virtual time. */
export async function lived<T>(work: () => Promise<T>): Promise<T> {
  return (await live(Infinity, work)).ended;
}

/** Effects of `work`, in their order. */
export async function effectsOf(work: () => Promise<unknown>): Promise<string[]> {
  return (await live(Infinity, work)).effects;
}

/** Runs `work` in a worker that is killed before its effect number `diesAt`, from 0. Fails if it has fewer. */
export async function killedAt(diesAt: number, work: () => Promise<unknown>): Promise<void> {
  const { isDead, effects } = await live(diesAt, work);
  if (!isDead) throw new Error(`there were ${effects.length} effects only`);
}

async function live<T>(
  diesAt: number,
  work: () => Promise<T>,
): Promise<{ ended: T; isDead: boolean; effects: string[] }> {
  const { promise: death, resolve: died } = Promise.withResolvers<void>();
  const own: Life = { effects: [], diesAt, isDead: false, died, handles: [] };
  let isOver = false;
  const over = () => void (isOver = true);
  const working = lives.run(own, work);
  const ending = Promise.race([working, death]).finally(over);
  ending.catch(() => undefined);
  for (;;) {
    await quiet();
    if (isOver) break;
    await vi.advanceTimersToNextTimerAsync();
  }
  if (own.isDead) for (const handle of own.handles) await handle.close();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a dead one's result is never read
  return { ended: (await ending) as T, isDead: own.isDead, effects: own.effects };
}

/** Resolves once nothing is under way but waiting. */
async function quiet(): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (busy.count > 0);
}

/** Virtual time in every test of the file that calls this. */
export function useVirtualTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
      now: Date.parse('2026-11-24T00:00:00Z'),
    });
  });
  afterEach(() => void vi.useRealTimers());
}

/** In place of node:timers/promises. */
export const virtualTimers = {
  setTimeout: async <T>(ms: number, value: T, { signal }: { signal?: AbortSignal } = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(value), ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      });
    }),
};

const changing = new Set(['chown', 'mkdir', 'rename', 'rm', 'sync', 'unlink', 'writeFile']);

/** In place of node:fs/promises: the same, seen. */
export function watchedFiles<T extends object>(files: T): T {
  const seen = Object.entries(files).map(([name, found]: [string, unknown]) => [name, watched(name, found)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same names and shapes
  return Object.fromEntries(seen) as T;
}

function watched(name: string, found: unknown): unknown {
  if (typeof found !== 'function') return found;
  return (...input: unknown[]): unknown => {
    const operation = () => counted(found(...input));
    const changes = changing.has(name) || (name === 'open' && input[1] === 'wx');
    return changes ? effect(described(name, input)).then(operation) : operation();
  };
}

/** Time stands still while it is under way. A handle that it gives is watched as well. */
function counted(result: unknown): unknown {
  if (!(result instanceof Promise)) return result;
  busy.count += 1;
  const ended = result.finally(() => void (busy.count -= 1));
  return ended.then((given: unknown) => (isHandle(given) ? watchedHandle(given) : given));
}

function isHandle(given: unknown): given is { close: () => Promise<void> } {
  return typeof given === 'object' && given !== null && 'createReadStream' in given;
}

function watchedHandle(handle: { close: () => Promise<void> }): object {
  lives.getStore()?.handles.push(handle);
  return new Proxy(handle, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      return typeof found === 'function' ? watched(String(name), found.bind(target)) : found;
    },
  });
}

/** `rename output publish`, by the last parts of paths; random parts of names left out. */
function described(name: string, input: unknown[]): string {
  const count = name === 'rename' ? 2 : name === 'writeFile' || name === 'sync' ? 0 : 1;
  const names = input.slice(0, count).map((path) => String(path).split('/').at(-1) ?? '');
  return [name, ...names.map((one) => one.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '*'))].join(' ');
}
