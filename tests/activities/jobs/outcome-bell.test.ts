import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OutcomeBell } from '../../../activities/jobs/watching/outcome-bell.ts';
import { temporaryFolder } from '../fixtures.ts';

/** Milliseconds until `bell.wait(ms)` returns. */
async function waited(bell: OutcomeBell, ms: number): Promise<number> {
  const startedAt = performance.now();
  await bell.wait(ms);
  return performance.now() - startedAt;
}

async function leaveOutcome(folder: string): Promise<void> {
  await writeFile(join(folder, '.outcome.json.tmp'), '{}');
  await rename(join(folder, '.outcome.json.tmp'), join(folder, 'outcome.json'));
}

describe('OutcomeBell', () => {
  it('rings when the outcome is renamed into place, also before anyone waits, and once for one outcome', async () => {
    const folder = await temporaryFolder();
    const bell = new OutcomeBell(folder);
    setTimeout(() => void leaveOutcome(folder), 50);
    expect(await waited(bell, 10_000)).toBeLessThan(5_000);
    expect(await waited(bell, 200)).toBeGreaterThan(150);
    await leaveOutcome(folder);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await waited(bell, 10_000)).toBeLessThan(5_000);
    bell.close();
  });

  it('does not ring for a log that grows', async () => {
    const folder = await temporaryFolder();
    const bell = new OutcomeBell(folder);
    setTimeout(() => void writeFile(join(folder, 'job.log'), 'step 1\n'), 50);
    expect(await waited(bell, 400)).toBeGreaterThan(350);
    bell.close();
  });

  it('is silent for a folder that is not there', async () => {
    const bell = new OutcomeBell(join(await temporaryFolder(), 'none'));
    expect(await waited(bell, 200)).toBeGreaterThan(150);
    bell.close();
  });
});
