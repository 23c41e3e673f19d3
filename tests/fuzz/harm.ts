/** Ways to spoil a dataset: what takes a file's place, and what is put into a picture. */
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** Removes what is at the path and returns the path, for something else to be put there. */
export async function without(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true });
  return path;
}

export function pipe(path: string): void {
  execFileSync('mkfifo', [path]);
}

/** A PNG with one more chunk after its header. */
export function withChunk(picture: Buffer, type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(data.length, 0);
  numbers.writeUInt32BE(crc32(body), 4);
  const headerEnd = 8 + 25;
  const parts = [picture.subarray(0, headerEnd), numbers.subarray(0, 4), body, numbers.subarray(4)];
  return Buffer.concat([...parts, picture.subarray(headerEnd)]);
}
