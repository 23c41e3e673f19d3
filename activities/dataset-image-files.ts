/** Image files of a dataset folder, each read once however many pairs name it. A file that cannot be read is a fault. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';
import { forEachConcurrently } from './concurrently.ts';
import type { ImageBytes, OnImage, PairLine } from './dataset-rows.ts';
import { hasCode } from './durable-file.ts';

export const maxImageBytes = 64 * 1024 * 1024;
/** Images are read whole to be hashed and checked: at most this many are in memory. */
const concurrency = 4;

export class ImageFiles {
  readonly #folder: string;
  readonly #place: (path: string) => string;

  /** `place`: where below the folder the image of a pair's path lies. */
  constructor(folder: string, place: (path: string) => string) {
    this.#folder = folder;
    this.#place = place;
  }

  async read(pairs: readonly PairLine[], onImage: OnImage): Promise<void> {
    const root = await realpath(this.#folder);
    const paths = new Set(pairs.flatMap(({ pair }) => [pair.source_image, pair.edited_image]));
    await forEachConcurrently(paths, concurrency, async (path) => {
      await onImage(path, await this.#readOne(root, path), paths.size);
    });
  }

  async #readOne(root: string, path: string): Promise<ImageBytes> {
    if (!path.startsWith('images/') || path.includes('\\') || path.includes('\0') || posix.normalize(path) !== path) {
      return { fault: `expected a path below "images/" without "..", got "${path}"` };
    }
    const place = this.#place(path);
    const got = `got "${place}"`;
    try {
      const real = await realpath(join(root, place));
      if (!real.startsWith(root + sep)) {
        return { fault: `expected a file of the dataset, ${got}, which leads to "${real}"` };
      }
      const state = await stat(real);
      if (!state.isFile()) return { fault: `expected a file, ${got}, which is none` };
      if (state.size > maxImageBytes) {
        return { fault: `expected at most ${maxImageBytes} bytes, ${got} of ${state.size}` };
      }
      return { bytes: await readFile(real) };
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) {
        return { fault: `expected a file, ${got}, which does not exist` };
      }
      if (hasCode(error, 'EACCES')) return { fault: `expected a readable file, ${got}, which may not be read` };
      throw error;
    }
  }
}
