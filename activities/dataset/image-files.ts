/** Image files of a dataset folder. Each is read once, however many pairs name it. A file that cannot be read is a fault. */
import { realpath } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';
import { shown } from '../../domain/errors.ts';
import { FileFault, readRegularFile } from '../../files/regular-file.ts';
import { forEachConcurrently } from '../bounded-concurrency.ts';
import type { ImageBytes, OnImage, PairLine } from './rows.ts';
import { hasCode } from '../store/durable-file.ts';

/** More than a picture of 50 million pixels takes as JPEG or WebP, and mostly as PNG. Four of them are in memory at once. */
export const maxImageBytes = 64 * 1024 * 1024;
/** Images are read whole to be hashed and checked. At most this many are in memory. */
const concurrency = 4;

export class ImageFiles {
  readonly #folder: string;
  readonly #place: (path: string) => string;

  /** `place`: where below the folder the image of a pair's path is. */
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
      return { fault: `expected a path below "images/" without "..", got ${shown(path)}` };
    }
    const place = this.#place(path);
    const got = `got ${shown(place)}`;
    try {
      const real = await realpath(join(root, place));
      if (!real.startsWith(root + sep)) {
        return { fault: `expected a file of the dataset, ${got}, which leads to ${shown(real)}` };
      }
      return { bytes: await readRegularFile(real, maxImageBytes, { noFollow: true }) };
    } catch (error) {
      if (error instanceof FileFault) return { fault: `expected ${error.expected}, ${got}: ${error.got}` };
      const fault = faultOfCode(error);
      if (fault === undefined) throw error;
      return { fault: `expected a file, ${got}, ${fault}` };
    }
  }
}

/** What a system error says of the path. Undefined if it is about the disk. */
function faultOfCode(error: unknown): string | undefined {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return 'which does not exist';
  if (hasCode(error, 'EACCES')) return 'which may not be read';
  if (hasCode(error, 'ELOOP')) return 'a link that leads in a circle';
  return hasCode(error, 'ENAMETOOLONG') ? 'a name too long for any file' : undefined;
}
