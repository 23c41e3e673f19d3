/**
 * Keyed lock: one holder per key in this process, the others wait in order. It does not reach other processes.
 */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` when all earlier holders of `key` are done, however they ended. Waiting ends when `signal` aborts. */
  async hold<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const earlier = this.#tails.get(key) ?? Promise.resolve();
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const tail = earlier.then(() => done);
    this.#tails.set(key, tail);
    // Only once all earlier holders are done: one that gave up waiting must not open the lock.
    void this.#forget(key, tail);
    try {
      await Promise.race([earlier, aborted(signal)]);
      return await work();
    } finally {
      release();
    }
  }

  async #forget(key: string, tail: Promise<void>): Promise<void> {
    await tail;
    if (this.#tails.get(key) === tail) this.#tails.delete(key);
  }
}

/** Rejects with the signal's reason when it aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () =>
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
