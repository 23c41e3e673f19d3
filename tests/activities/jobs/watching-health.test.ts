/** Watching a job that trains sick: what is read of its attempts, and when the watcher returns for it. */
import { appendFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { SlurmJob } from 'slurm-rest-client';
import { HealthWatch } from '../../../activities/jobs/watching/health-watch.ts';
import { createWatchActivities } from '../../../activities/jobs/watching/watching.ts';
import type { WatchInput } from '../../../domain/jobs/job-life.ts';
import { activityEnvironment, inActivity, rejection, sftOrder, temporaryFolder } from '../fixtures.ts';

const steps = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Adds steps to an attempt's numbers. Answers and entropy fall together where `size` falls. */
async function log(root: string, attempt: number, of: readonly number[], size: (step: number) => number) {
  const folder = join(root, `a${attempt}`);
  await mkdir(folder, { recursive: true });
  const lines = of.map(
    (step) => `${JSON.stringify({ step, response_length: size(step), entropy: size(step) / 1000 })}\n`,
  );
  await appendFile(join(folder, 'metrics.jsonl'), lines.join(''));
  return { name: `critic-r-grpo-a${attempt}`, directory: folder, attempt };
}

describe('health while a job trains', () => {
  it('is judged over all its attempts, each line once, and looked at every quarter of a minute', async () => {
    const root = await temporaryFolder();
    await log(root, 1, steps(1, 20), () => 400);
    const second = await log(root, 2, steps(16, 30), () => 400);
    const watch = new HealthWatch(second, []);
    expect(await watch.look(0)).toBeUndefined();
    await log(root, 2, steps(31, 45), () => 100);
    expect(await watch.look(14_000)).toBeUndefined();
    expect(await watch.look(15_000)).toEqual({
      kinds: ['length', 'entropy'],
      sentence: 'It trains sick: answers got shorter, from 400 to 100; the entropy fell, from 0.400 to 0.100',
    });
  });

  it('is no reason to ask again for signs of kinds that a person was asked about', async () => {
    const root = await temporaryFolder();
    const attempt = await log(root, 1, steps(1, 40), (step) => (step < 20 ? 400 : 100));
    expect(await new HealthWatch(attempt, ['length', 'entropy']).look(0)).toBeUndefined();
    expect(await new HealthWatch(attempt, ['length']).look(0)).toMatchObject({ kinds: ['length', 'entropy'] });
  });

  it('is judged by what can be read: a line that has not ended, nonsense, a file that was replaced', async () => {
    const root = await temporaryFolder();
    const attempt = await log(root, 1, steps(1, 40), () => 400);
    const path = join(attempt.directory, 'metrics.jsonl');
    await appendFile(path, '{"step":41,"resp');
    await writeFile(join(attempt.directory, 'answers.jsonl'), 'nonsense\n{"step":1}\n');
    const watch = new HealthWatch(attempt, []);
    expect(await watch.look(0)).toBeUndefined();
    const other = await log(join(root, 'other'), 1, steps(1, 40), (step) => (step < 20 ? 4000 : 1001));
    await rename(join(other.directory, 'metrics.jsonl'), path);
    expect(await watch.look(20_000)).toMatchObject({ kinds: ['length', 'entropy'] });
  });

  it.each([
    ['a shorter file stands there', steps(1, 30)],
    ['one of the same length does', steps(1, 40)],
  ])('is judged anew where %s', async (_what, other) => {
    const root = await temporaryFolder();
    const attempt = await log(root, 1, steps(1, 40), () => 400);
    const path = join(attempt.directory, 'metrics.jsonl');
    const watch = new HealthWatch(attempt, []);
    expect(await watch.look(0)).toBeUndefined();
    await writeFile(path, '');
    await log(root, 1, other, (step) => (step < 15 ? 400 : 100));
    expect(await watch.look(20_000)).toMatchObject({ kinds: ['length', 'entropy'] });
    await writeFile(path, '');
    await log(root, 1, other, () => 400);
    expect(await watch.look(40_000)).toBeUndefined();
  });

  it('without a file has nothing to say', async () => {
    const directory = join(await temporaryFolder(), 'a1');
    expect(await new HealthWatch({ name: 'n', directory, attempt: 1 }, []).look(0)).toBeUndefined();
  });
});

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the watcher looks at these fields only
const running = { state: 'RUNNING', reason: '', nodes: ['n1'], restartCount: 0, flags: [] } as unknown as SlurmJob;
const poller = {
  watch: () => ({ state: () => ({ kind: 'known' as const, job: running }), hurry: () => {}, close: () => {} }),
};

/** Watches a running GRPO job that trains sick, for a second at most. */
async function watched(health?: 'warn' | 'ask' | 'stop', stage: WatchInput['stage'] = 'grpo') {
  const attempt = await log(await temporaryFolder(), 1, steps(1, 40), (step) => (step < 20 ? 400 : 100));
  const watch = { ...sftOrder('r').watch, ...(health === undefined ? {} : { health }) };
  const known = { state: 'RUNNING', told: [] };
  const { env } = activityEnvironment();
  setTimeout(() => env.cancel(), 1000);
  const activities = createWatchActivities({ poller, job: { fileIntervalMs: 50 } });
  return inActivity(env, () => activities.watchJob({ attempt, jobId: '7', stage, totalSteps: 60, watch, known }));
}

describe('the watcher of a job that trains sick', () => {
  it.each(['ask', 'stop'] as const)('returns for it where the recipe says %s', async (health) => {
    expect(await watched(health)).toMatchObject({
      over: false,
      state: 'RUNNING',
      unwell: { kinds: ['length', 'entropy'] },
    });
  });

  it.each([
    ['the recipe says nothing', undefined, 'grpo'],
    ['it says warn', 'warn', 'grpo'],
    ['it is no GRPO', 'stop', 'sft'],
  ] as const)('goes on where %s', async (_what, health, stage) => {
    expect(await rejection(watched(health, stage))).toBeInstanceOf(CancelledFailure);
  });
});
