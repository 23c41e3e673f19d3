/**
 * Regular files: how to open a file that somebody else wrote: a person, a job, a download. The open never blocks (a named pipe would
 * hold a libuv thread until somebody writes). Devices and folders are refused. No more is read than the caller allows. Activities,
 * workers and cli use this. It does not know what the files mean.
 */
import { isUtf8 } from 'node:buffer';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** There is no regular file at a path, or it is larger than allowed. */
export class FileFault extends Error {
  override readonly name = 'FileFault';
  readonly path: string;
  readonly expected: string;
  readonly got: string;

  constructor(path: string, expected: string, got: string) {
    super(`"${cut(path)}": expected ${expected}, got ${got}`);
    this.path = path;
    this.expected = expected;
    this.got = got;
  }
}

export interface OpenOptions {
  /** Refuse a symbolic link at the last part of the path. Default: links are followed. */
  noFollow?: boolean;
}

/**
 * Opens a regular file for reading, runs `work` on it and closes it.
 * Throws FileFault if it is no regular file, and system errors (ENOENT, EACCES, …) as they are.
 */
export async function withRegularFile<T>(
  path: string,
  work: (file: FileHandle, stats: Stats) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
  const links = options.noFollow === true ? constants.O_NOFOLLOW : 0;
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | links).catch((error: unknown) => {
    // So Linux refuses to open a socket.
    if (error instanceof Error && 'code' in error && error.code === 'ENXIO')
      throw new FileFault(path, 'a regular file', 'a socket');
    throw error;
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new FileFault(path, 'a regular file', kindOf(stats));
    return await work(file, stats);
  } finally {
    await file.close();
  }
}

/** Content of a regular file of at most `maxBytes`. Throws FileFault if it is larger, or grows beyond that while it is read. */
export async function readRegularFile(path: string, maxBytes: number, options: OpenOptions = {}): Promise<Buffer> {
  return withRegularFile(
    path,
    async (file, { size }) => {
      const expected = `a regular file of at most ${maxBytes} bytes`;
      if (size > maxBytes) throw new FileFault(path, expected, `${size} bytes`);
      // One byte more than its size: so the end is seen, and growth is noticed.
      const parts: Buffer[] = [];
      let total = 0;
      for (;;) {
        const part = Buffer.allocUnsafe(total === 0 ? size + 1 : 64 * 1024);
        const { bytesRead } = await file.read(part, 0, part.length, total);
        if (bytesRead === 0) return Buffer.concat(parts, total);
        parts.push(part.subarray(0, bytesRead));
        total += bytesRead;
        if (total > maxBytes) throw new FileFault(path, expected, `more than ${maxBytes} bytes`);
      }
    },
    options,
  );
}

/**
 * Text of a regular file of at most `maxBytes`, without a byte order mark. Throws FileFault for bytes that are no UTF-8: the usual
 * replacement character would hide them.
 */
export async function readRegularText(path: string, maxBytes: number, options: OpenOptions = {}): Promise<string> {
  const text = decodeUtf8(await readRegularFile(path, maxBytes, options));
  if (text === undefined) throw new FileFault(path, 'text in UTF-8', 'bytes that are not UTF-8');
  return text;
}

/** The text that these bytes are in UTF-8, without a byte order mark. Undefined if they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  return new TextDecoder().decode(bytes);
}

/** What `stats` (of a path, not following links) or an entry of a folder describes, in words. */
export function kindOf(stats: Kind): string {
  if (stats.isFile()) return 'a regular file';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'a device';
  return 'a symbolic link';
}

type Kind = Pick<Stats, 'isFile' | 'isDirectory' | 'isFIFO' | 'isSocket' | 'isCharacterDevice' | 'isBlockDevice'>;

function cut(path: string): string {
  return path.length > 200 ? `${path.slice(0, 199)}…` : path;
}
