/** A store with three weeks of nights of all kinds, as nights, digests and notices leave them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, writeDigest } from '../../../activities/pages/night-files.ts';
import { Turns } from '../../../activities/nights/turns.ts';
import { Outbox } from '../../../activities/notify/outbox.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Digested } from '../../../domain/nights/night-digest.ts';
import type { NightVerdict } from '../../../domain/nights/night.ts';
import { notBegunNotice, skippedNotice, wrongNotice } from '../../../domain/nights/night-notices.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';
import { aNight } from '../../domain/night-fixture.ts';

/** When the night of the nth day began. */
export const atDay = (day: number) => `2026-11-${String(day).padStart(2, '0')}T01:30:00.000Z`;

/** A night that ended with a run. */
export async function ended(
  root: string,
  name: string,
  turn: number,
  verdict: Exclude<NightVerdict, 'skipped' | 'wrong-recipe'>,
  found: Partial<Digested> = {},
  at = atDay(turn),
): Promise<void> {
  const turns = new Turns(root, name);
  const run = `${name}-${turn}`;
  await turns.take({ number: turn, workflow: 'w', at });
  await turns.writeRun(turn, { run, resumes: null, commit: null, begunAt: at });
  await turns.writeEnd(turn, { run, verdict, nothingNew: false, endedAt: at });
  const outcome = { verdict, sentence: `it ${verdict}: 0.${turn} of what was asked`, nothingNew: false };
  await writeDigest(root, turn, digestOf(name, at, { run, outcome, ...found }));
}

export async function threeWeeks({ root }: ArtifactStore): Promise<void> {
  const random = seededRandom(3);
  const outbox = new Outbox(root);
  for (let day = 1; day <= 18; day += 1) {
    const value = 0.55 + 0.01 * day + 0.02 * random();
    const change = {
      estimate: 0.02 - 0.004 * random(),
      standardError: 0.01,
      difference: [-0.01, 0.04] as [number, number],
    };
    const champion = {
      run: 'nightly-0',
      version: 1 + Math.floor(day / 6),
      mainScore: 0.55 + 0.05 * Math.floor(day / 6),
      change,
    };
    await ended(root, 'nightly', day, day % 4 === 0 ? 'not-passed' : 'passed', {
      score: { value, interval: [value - 0.05, value + 0.04] },
      champion,
      usd: { spent: 0.25 * day, expected: 1 },
      attempts: [
        { attempt: 'sft a1', gpuHours: 0.5, wasted: null },
        { attempt: 'grpo a1', gpuHours: 0.125, wasted: day % 5 === 0 ? 'GPU out of memory' : null },
      ],
      gpuHoursExpected: 0.7,
    });
  }
  const nightly = aNight({ name: 'nightly' });
  await outbox.put(
    skippedNotice(nightly, atDay(19), atDay(19), 'the night of 2026-11-18 01:30 UTC still goes on: run nightly-18', []),
  );
  await outbox.put(wrongNotice(nightly, atDay(20), atDay(20), 'grpo.steps: expected a whole number, got "many"'));
  const turns = new Turns(root, 'nightly');
  await turns.take({ number: 19, workflow: 'w', at: atDay(20) });
  await turns.writeEnd(19, { run: null, verdict: 'wrong-recipe', nothingNew: false, endedAt: atDay(20) });
  // It was told not to have begun, and began after all.
  await outbox.put(notBegunNotice(nightly, atDay(21), atDay(21), 'no worker is there', atDay(22)));
  await turns.take({ number: 20, workflow: 'w', at: atDay(21) });
  await turns.writeRun(20, { run: 'nightly-21', resumes: null, commit: null, begunAt: atDay(21) });
  await ended(root, 'weekly', 3, 'failed', { missing: ['the evaluation (it is not there)'] });
  await writeFile(join(root, 'nights/weekly/turn-000002.json'), '{"schema":');
}
