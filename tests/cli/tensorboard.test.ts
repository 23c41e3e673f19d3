/** Event files, read back as TensorBoard's own reader does: records with checksums, events with scalars. */
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { appendEvents, crc32c, writeEvents } from '../../cli/tensorboard.ts';
import { critic, fakeServer } from './fakes.ts';

const proto = `syntax = "proto3";
message Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
message Summary { repeated Value value = 1; message Value { string tag = 1; float simple_value = 2; } }`;
const Event = protobuf.parse(proto, { keepCase: true }).root.lookupType('Event');
const event = z.object({
  wall_time: z.number(),
  step: z.coerce.number().default(0),
  file_version: z.string().optional(),
  summary: z.object({ value: z.array(z.object({ tag: z.string(), simple_value: z.number() })).default([]) }).optional(),
});

/** Events of a file. Throws where a checksum is wrong. */
function read(bytes: Buffer): z.output<typeof event>[] {
  const events: z.output<typeof event>[] = [];
  const check = (part: Buffer, at: number) => {
    const crc = crc32c(part);
    if (bytes.readUInt32LE(at) !== (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0) throw new Error('checksum');
  };
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    check(bytes.subarray(at, at + 8), at + 8);
    const data = bytes.subarray(at + 12, at + 12 + length);
    check(data, at + 12 + length);
    events.push(event.parse(Event.toObject(Event.decode(data), { longs: String })));
    at += 16 + length;
  }
  return events;
}

const rows = [
  { step: 1, attempt: 1, time: 1_780_000_000.5, total_steps: 3, loss: 2.5, lr: 0.001 },
  { step: 2, attempt: 2, time: 1_780_000_009, total_steps: 3, loss: null, lr: 0.0005 },
];

describe('an event file', () => {
  it('has every finite number of each step once, at its time', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'critic-tb-')), 'r/sft/events.out.tfevents.critic');
    await writeEvents(path, rows);
    await writeEvents(path, rows);
    await appendEvents(path, [{ step: 3, attempt: 2, time: 1_780_000_010, loss: 1 }]);
    const [version, ...steps] = read(await readFile(path));
    expect(version?.file_version).toBe('brain.Event:2');
    expect(
      steps.map(({ step, wall_time: time, summary }) => [step, time, summary?.value.map(({ tag }) => tag)]),
    ).toEqual([
      [1, 1_780_000_000.5, ['loss', 'lr']],
      [2, 1_780_000_009, ['lr']],
      [3, 1_780_000_010, ['loss']],
    ]);
    expect(steps[0]?.summary?.value[0]?.simple_value).toBe(2.5);
    expect(await readdir(join(path, '..'))).toEqual(['events.out.tfevents.critic']);
  });

  it('has the checksum of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  });
});

describe('critic metrics --tensorboard', () => {
  it('writes it by run and stage, and says where', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'critic-tb-'));
    const update = () => ({ rows, more: false, attempts: 2 });
    const view = { run: 'r', recipe: 'x', status: 'running', stages: [], questions: [] };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of the view is used
    const server = fakeServer({ r: { view: view as never }, 'critic-caretaker': { type: 'caretaker', update } });
    const { out, err } = await critic(['metrics', 'r', 'sft', '--tensorboard', folder], server);
    const path = join(folder, 'r/sft/events.out.tfevents.critic');
    expect([out, err]).toEqual([`2 steps: ${path}\n`, '']);
    expect(read(await readFile(path))).toHaveLength(3);
  });

  it('is not asked for beside CSV', async () => {
    const { err } = await critic(['metrics', 'r', 'sft', '--tensorboard', 'd', '--csv']);
    expect(err).toBe('critic: --tensorboard: expected neither --csv nor --json beside it\n');
  });
});
