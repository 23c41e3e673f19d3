/**
 * The outcome's bell: it wakes a watcher when an outcome file is renamed into its attempt's folder, if the file system tells (inotify, on a
 * disk of this machine). A shared file system does not tell what another machine wrote, and the kernel's watches are limited. Then the
 * bell stays silent, and the watcher looks at every interval. It is a hint and never evidence.
 */
import { type FSWatcher, watch } from 'node:fs';
import { attemptFiles } from '../../../domain/names.ts';
import { systemCode } from '../../failure.ts';

export class OutcomeBell {
  readonly #watcher: FSWatcher | undefined;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(directory: string) {
    try {
      this.#watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name === attemptFiles.outcome) this.#ring();
      });
      this.#watcher.on('error', () => this.close());
    } catch (error) {
      // There is no such folder on this machine, no watch left (ENOSPC), or no permission: the bell stays silent.
      if (systemCode(error) === undefined) throw error;
    }
  }

  /** Resolves when it rings, or after `ms`. Resolves at once if it has rung since the last call. */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
    }
    this.#rung = false;
  }

  close(): void {
    this.#watcher?.close();
  }

  #ring(): void {
    this.#rung = true;
    this.#wake?.();
  }
}
