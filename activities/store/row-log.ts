/**
 * Row log: an append-only JSONL file. A row counts when it is on disk. Rows that arrive together share one fdatasync. There is one writer at a
 * time. The log does not know what the rows mean.
 *
 * kill -9 while appending: rows whose `append` had resolved are there. The last line may be torn, and the next `open` cuts it off (or ends it, if
 * only its newline is missing). After a power cut the same holds, since fdatasync is awaited.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type * as z from 'zod';
import { freshSize, readFrom, whenListed } from '../../files/fresh-look.ts';
import { withRegularFile } from '../../files/regular-file.ts';
import { syncFolder } from './durable-file.ts';
import { parseJson } from '../../files/json.ts';

interface Pending {
  line: string;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export interface OpenedLog<T> {
  log: RowLog<T>;
  rows: T[];
  /** Lines that were no rows and no torn end, because of a damaged disk. They stay in the file and do not count. */
  unreadable: number;
  /** Bytes of a torn last line, cut off. */
  tornBytes: number;
}

export class RowLog<T> {
  readonly #file: FileHandle;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;
  #broken: unknown;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Opens or creates the log, repairs its end and reads its rows. */
  static async open<T>(path: string, schema: z.ZodType<T>): Promise<OpenedLog<T>> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o640);
    try {
      await syncFolder(dirname(path));
      // To its end as the server has it: what another machine has appended must not be cut off as a torn line.
      const content = await readFrom(file, 0, await freshSize(file));
      const { rows, unreadable, end } = readRows(content, schema);
      const last = end === content.length ? undefined : schema.safeParse(parseJson(content.toString('utf8', end))).data;
      if (last !== undefined) {
        await file.appendFile('\n');
        rows.push(last);
      } else if (end < content.length) {
        await file.truncate(end);
      }
      await file.datasync();
      const tornBytes = last === undefined ? content.length - end : 0;
      return { log: new RowLog<T>(file), rows, unreadable, tornBytes };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Rows of a log that somebody else may be writing. The file is not changed. None if there is no such file. */
  static async read<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
    const content = await whenListed(dirname(path), basename(path), (at) =>
      withRegularFile(at, async (file) => readFrom(file, 0, await freshSize(file))),
    );
    if (content === undefined) return [];
    return readRows(content, schema).rows;
  }

  /** Resolves when the row is on disk. After a failed write every further append fails, since the end may be torn. */
  append(row: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ line: `${JSON.stringify(row)}\n`, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Waits for what is being written, then closes the file. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #write(): Promise<void> {
    // Rows of the same turn of the event loop join.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        if (this.#broken !== undefined) throw this.#broken;
        await this.#file.appendFile(batch.map(({ line }) => line).join(''));
        await this.#file.datasync();
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#broken = error;
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = undefined;
  }
}

/** Rows of all whole lines, and where the last of them ends. */
function readRows<T>(content: Buffer, schema: z.ZodType<T>): { rows: T[]; unreadable: number; end: number } {
  const end = content.lastIndexOf(0x0a) + 1;
  const lines = content
    .toString('utf8', 0, end)
    .split('\n')
    .filter((line) => line !== '');
  const rows = lines.flatMap((line) => schema.safeParse(parseJson(line)).data ?? []);
  return { rows, unreadable: lines.length - rows.length, end };
}
