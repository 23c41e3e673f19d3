import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SynthesisBench } from './synthesis-fixtures.ts';

const rows = 40;
const concurrency = 4;
let bench: SynthesisBench;

beforeEach(async () => {
  bench = await SynthesisBench.make(rows);
});
afterEach(async () => {
  await bench.teacher.stop();
});

/** Runs the stage in a process of its own and kills it with -9 when the `n`-th request arrives, or as it pleases after it. */
async function killAt(n: number, delayMs: number): Promise<void> {
  const input = {
    store: bench.store.root,
    folder: bench.folder,
    baseUrl: bench.teacher.baseUrl,
    keyFile: bench.keyFile,
  };
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('synthesis-child.ts', import.meta.url)), JSON.stringify(input)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  bench.teacher.script = ({ number }) => {
    if (number === n) setTimeout(() => child.kill('SIGKILL'), delayMs);
    return undefined;
  };
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
  bench.teacher.script = () => undefined;
}

describe('a synthesis whose process is killed with -9', () => {
  it.each([
    [1, 0],
    [15, 0],
    [15, 7],
    [30, 3],
  ])(
    'at request %d after %d ms pays again for at most what was in flight, and names it',
    { timeout: 120_000 },
    async (n, delay) => {
      bench.teacher.latencyMs = 10;
      await killAt(n, delay);
      const sentBefore = bench.teacher.requests.length;
      const artifact = await bench.run({ concurrency });
      expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
      const again = bench.teacher.requests
        .slice(sentBefore)
        .filter(({ key }) => bench.teacher.requests.slice(0, sentBefore).some((before) => before.key === key));
      expect(again.length).toBeLessThanOrEqual(concurrency);
      const { uncertain_requests: uncertain } = await bench.card(artifact);
      const named = uncertain.map(({ request }) => request);
      expect(again.map(({ key }) => key).every((key) => named.includes(key))).toBe(true);
      expect(uncertain.length).toBeLessThanOrEqual(concurrency);
      expect(bench.teacher.requests.length).toBeLessThanOrEqual(rows + concurrency);
    },
  );
});
