/** The night watch on a real disk, killed before each of its effects: people are told once, and what was due is not lost. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { expect, it, vi } from 'vitest';
import { Outbox } from '../../activities/notify/outbox.ts';
import { nightScheduleId } from '../../domain/names.ts';
import { NightWatch } from '../../workers/night-watch.ts';
import { temporaryFolder } from '../activities/fixtures.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from '../activities/jobs/moments.ts';
import { night } from '../workflows/nights.ts';

vi.mock('node:fs/promises', async (original) =>
  (await import('../activities/jobs/moments.ts')).watchedFiles(await original()),
);
vi.mock('node:timers/promises', async () => (await import('../activities/jobs/moments.ts')).virtualTimers);

useVirtualTime();

it('a look that is killed is made good by the next one', async () => {
  const now = new Date('2026-11-24T01:45:00.000Z');
  const [due, next] = ['2026-11-24T01:30:00.000Z', '2026-11-25T01:30:00.000Z'];
  async function* schedules() {
    yield { scheduleId: nightScheduleId('n') };
  }
  async function* none(): AsyncGenerator<never> {
    // Temporal has begun no night.
  }
  const described = {
    action: { args: [night('n')], taskQueue: 'critic' },
    state: { paused: false },
    info: { nextActionTimes: [new Date(next)], createdAt: now },
    spec: {},
    policies: { catchupWindow: 3_600_000 },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = {
    schedule: { list: schedules, getHandle: () => ({ describe: async () => described }) },
    workflow: { list: none },
    withDeadline: (_: unknown, work: () => unknown) => work(),
  } as unknown as Client;
  const root = await temporaryFolder();
  const file = join(root, 'nights/n/due.json');
  const fresh = async () => {
    await rm(join(root, 'notices'), { recursive: true, force: true });
    await mkdir(join(root, 'nights/n'), { recursive: true });
    await writeFile(file, JSON.stringify({ schema: 1, night: night('n'), due: [due], paused: null }));
  };
  const look = () => new NightWatch(client, new Outbox(root), root).look(now);
  await fresh();
  const effects = await effectsOf(look);
  expect(effects.length).toBeGreaterThan(5);
  for (const moment of effects.keys()) {
    await fresh();
    await killedAt(moment, look);
    const between = await readFile(file, 'utf8');
    const told = await new Outbox(root).ids();
    // Either it is still due, or it was told.
    expect([effects[moment], between.includes(due) || told.length === 1]).toEqual([effects[moment], true]);
    await lived(look);
    expect(await new Outbox(root).ids()).toEqual(['night-n-20261124-013000-not-begun']);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ due: [next] });
  }
});
