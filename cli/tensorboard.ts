/**
 * TensorBoard event files of a stage's numbers: one file of one logical run, all attempts stitched. The format is TFRecord around `tensorflow.Event`
 * (github.com/tensorflow/tensorboard, `compat/proto/event.proto`, `summary/writer/record_writer.py`). It is written here and not by a job, so it needs nothing on the
 * cluster, is there for runs that are over too, and shows no step twice.
 */
import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import protobuf from 'protobufjs/minimal.js';
import type { MetricsRow } from '../domain/manifest.ts';

/** Numbers of a row that are no curve. */
const noCurve = new Set(['step', 'attempt', 'time', 'total_steps']);

/** Replaces the file by one with these rows. kill -9 leaves the old file or the new one, and beside it at most a `.tmp` that TensorBoard does not read. */
export async function writeEvents(path: string, rows: readonly MetricsRow[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${dirname(path)}/.${process.pid}.tmp`;
  const began = secondsOf(rows[0]);
  try {
    await writeFile(temporary, Buffer.concat([recordOf(versionEvent(began)), ...rows.map(eventOf)]));
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A TensorBoard that is open reads what is appended. */
export async function appendEvents(path: string, rows: readonly MetricsRow[]): Promise<void> {
  await appendFile(path, Buffer.concat(rows.map(eventOf)));
}

/** Unix seconds. 0: the engine said none that can be read. */
function secondsOf(row: MetricsRow | undefined): number {
  const time = row?.time ?? 0;
  const seconds = typeof time === 'number' ? time : Date.parse(time) / 1000;
  return Number.isFinite(seconds) ? seconds : 0;
}

function versionEvent(time: number): Uint8Array {
  return protobuf.Writer.create().uint32(9).double(time).uint32(26).string('brain.Event:2').finish();
}

/** One record with all finite numbers of a row. Field numbers and wire types are those of event.proto and summary.proto. */
function eventOf(row: MetricsRow): Buffer {
  const summary = protobuf.Writer.create();
  for (const [name, value] of Object.entries(row)) {
    if (typeof value !== 'number' || noCurve.has(name)) continue;
    const one = protobuf.Writer.create().uint32(10).string(name).uint32(21).float(value).finish();
    summary.uint32(10).bytes(one);
  }
  const event = protobuf.Writer.create().uint32(9).double(secondsOf(row)).uint32(16).int64(row.step);
  return recordOf(event.uint32(42).bytes(summary.finish()).finish());
}

/** A TFRecord: length, its checksum, the data, its checksum. */
function recordOf(data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, checksum(length), data, checksum(data)]);
}

function checksum(bytes: Uint8Array): Buffer {
  const crc = crc32c(bytes);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const four = Buffer.alloc(4);
  four.writeUInt32LE(masked);
  return four;
}

/** CRC-32C (Castagnoli, RFC 3720), which node:zlib does not have. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
