import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ScriptedBatches } from '../../teacher/scripted-batches.ts';
import { batchSettings, SynthesisBench } from '../synthesis-fixtures.ts';

const rows = 150;
/** Half of the first batch's results are more than one write to the log, and less than two. */
const requestsPerBatch = 140;
const rowUsd = 0.0035 / 2;
let bench: SynthesisBench;
let server: ScriptedBatches;

beforeEach(async () => {
  bench = await SynthesisBench.make(rows);
  server = bench.teacher.batches;
});
afterEach(async () => {
  await bench.teacher.stop();
});

function start(): ChildProcess {
  const { store, folder, teacher, keyFile } = bench;
  const input = { store: store.root, folder, baseUrl: teacher.baseUrl, keyFile, requestsPerBatch };
  const path = fileURLToPath(new URL('../synthesis-child.ts', import.meta.url));
  return spawn(process.execPath, [path, JSON.stringify(input)], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Runs the stage in a process of its own, killed with -9 at the `n`-th request of this kind, which ends as `fault` says. */
async function killAt(kind: string, n: number, fault: 'drop' | 'cut' | 'half', delayMs = 0): Promise<void> {
  const child = start();
  server.fault = (request, number) => {
    if (request !== kind || number !== n) return undefined;
    if (delayMs === 0) child.kill('SIGKILL');
    else setTimeout(() => child.kill('SIGKILL'), delayMs);
    return { kind: fault };
  };
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
  server.fault = () => undefined;
}

describe('a synthesis by batches whose process is killed with -9', () => {
  it.each([
    ['before the upload', 'POST files', 1, 'drop', 0],
    ['after the upload, before its id is known', 'POST files', 1, 'cut', 0],
    ['between upload and creation', 'POST batches', 1, 'drop', 0],
    ['between creation and its id', 'POST batches', 1, 'cut', 0],
    ['at the second batch, between creation and its id', 'POST batches', 2, 'cut', 0],
    ['while waiting', 'GET batches ID', 1, 'drop', 0],
    ['before the results are read', 'GET files ID content', 1, 'drop', 0],
    ['in the middle of collecting', 'GET files ID content', 1, 'half', 300],
    ['at the second batch’s results', 'GET files ID content', 2, 'half', 100],
    ['while the server’s files are deleted', 'DELETE files ID', 1, 'drop', 0],
  ] as const)(
    '%s submits nothing twice, pays nothing twice and loses no row',
    { timeout: 120_000 },
    async (_moment, kind, n, fault, delayMs) => {
      await killAt(kind, n, fault, delayMs);
      const artifact = await bench.run(batchSettings({ requests_per_batch: requestsPerBatch }));
      expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
      expect(server.sizes()).toEqual([requestsPerBatch, rows - requestsPerBatch]);
      expect(server.paidTwice()).toEqual([]);
      expect((await bench.card(artifact)).uncertain_requests).toEqual([]);
      expect(artifact.counts).toMatchObject({ requests: rows, answers: rows });
      expect(artifact.cost.usd).toBeCloseTo(rows * rowUsd);
    },
  );
});
