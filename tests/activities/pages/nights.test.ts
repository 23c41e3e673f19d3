/** The rows of nights.html, from what nights and notices leave, whole or damaged. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { gatherNights } from '../../../activities/pages/night-rows.ts';
import { createPageActivities, writeNights } from '../../../activities/pages/nights.ts';
import { nightsRecord } from '../../../activities/pages/nights-page.ts';
import { Outbox } from '../../../activities/notify/outbox.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { skippedNotice } from '../../../domain/nights/night-notices.ts';
import { makeStore } from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity } from '../fixtures.ts';
import { atDay, ended, threeWeeks } from './nights-fixtures.ts';
import { aNight } from '../../domain/night-fixture.ts';

let store: ArtifactStore;
beforeEach(async () => {
  store = await makeStore();
});
const now = () => new Date('2026-11-22T08:00:00Z');

describe('the nights of a store', () => {
  it('are a row each, newest first: with a run, skipped, wrong, under way', async () => {
    await threeWeeks(store);
    const { nights, unreadable } = await gatherNights(store.root);
    const [nightly, weekly] = nights;
    expect(nightly?.rows.map(({ at, verdict, run }) => [at.slice(8, 10), verdict, run]).slice(0, 4)).toEqual([
      ['21', 'under-way', 'nightly-21'],
      ['20', 'wrong-recipe', null],
      ['19', 'skipped', null],
      ['18', 'passed', 'nightly-18'],
    ]);
    expect(nightly?.rows).toHaveLength(21);
    expect(nightly?.rows[1]?.why).toBe('grpo.steps: expected a whole number, got "many"');
    expect(nightly?.rows[2]?.why).toContain('still goes on: run nightly-18');
    expect(weekly?.rows.map(({ verdict }) => verdict)).toEqual(['failed']);
    expect(unreadable).toEqual([expect.stringContaining('nights/weekly/turn-000002.json')]);
  });

  it('are summed as their digests say', async () => {
    await threeWeeks(store);
    const { totals } = nightsRecord(await gatherNights(store.root), now());
    expect(totals).toMatchObject({ nights: 22, passed: 14, notPassed: 4, failed: 2, skipped: 1 });
    expect(totals.usd).toBeCloseTo((0.25 * 18 * 19) / 2);
    expect(totals.gpuHours).toBeCloseTo(18 * 0.625);
    expect(totals.gpuHoursWasted).toBeCloseTo(3 * 0.125);
  });

  it('keep why one was skipped when the notice of it is gone', async () => {
    await new Outbox(store.root).put(skippedNotice(aNight(), atDay(1), atDay(1), 'it was paused', []));
    await gatherNights(store.root);
    await rm(join(store.root, 'notices'), { recursive: true });
    const { nights } = await gatherNights(store.root);
    expect(nights[0]?.rows).toMatchObject([{ verdict: 'skipped', why: 'it was paused', at: '2026-11-01T01:30:00Z' }]);
  });

  it('show a night that failed and the backfill of it, the newest first, each with its cost', async () => {
    const usd = { usd: { spent: 1, expected: null } };
    await ended(store.root, 'n', 1, 'failed', usd);
    await ended(store.root, 'n', 2, 'passed', usd);
    await ended(store.root, 'n', 3, 'passed', usd, atDay(1));
    const all = await gatherNights(store.root);
    expect(all.nights[0]?.rows.map(({ run, verdict }) => [run, verdict])).toEqual([
      ['n-2', 'passed'],
      ['n-3', 'passed'],
      ['n-1', 'failed'],
    ]);
    expect(nightsRecord(all, now()).totals).toMatchObject({ nights: 3, passed: 2, failed: 1, usd: 3 });
  });

  it('are listed without what is damaged, which is named', async () => {
    await ended(store.root, 'n', 1, 'passed');
    await ended(store.root, 'n', 2, 'passed');
    await writeFile(join(store.root, 'nights/n/turn-000002.digest.json'), '{}');
    await writeFile(join(store.root, 'nights/n/told-20261103-013000.json'), 'no JSON');
    await mkdir(join(store.root, 'notices'), { recursive: true });
    await writeFile(join(store.root, 'notices/night-n-20261104-013000-skipped.json'), '{}');
    const { nights, unreadable } = await gatherNights(store.root);
    expect(nights[0]?.rows.map(({ verdict, digest }) => [verdict, digest === null])).toEqual([
      ['passed', true],
      ['passed', false],
    ]);
    expect(unreadable).toEqual([
      expect.stringContaining('notices/night-n-20261104-013000-skipped.json'),
      'nights/n/told-20261103-013000.json: it is not as a night writes it',
    ]);
    const { path } = await writeNights({ store }, now);
    expect(await readFile(path, 'utf8')).toContain('told-20261103-013000.json');
  });
});

describe('writing the page', () => {
  it('says where it is served, and is safe to repeat', async () => {
    await ended(store.root, 'n', 1, 'passed');
    const write = () => writeNights({ store, pagesUrl: 'http://pages' }, now);
    const first = await write();
    expect(first).toMatchObject({ path: join(store.root, 'nights.html'), url: 'http://pages/nights.html' });
    const text = await readFile(first.path, 'utf8');
    await write();
    expect(await readFile(first.path, 'utf8')).toBe(text);
  });

  it('writes again if a night ended while it wrote', async () => {
    await ended(store.root, 'n', 1, 'passed');
    let times = 0;
    const { path } = await writeNights({ store }, () => {
      times += 1;
      // Another writer's night, between the look and the writing. It is there when this returns, as the next look waits for it.
      if (times === 1) pending = ended(store.root, 'n', 2, 'passed');
      return now();
    });
    await pending;
    expect(times).toBeGreaterThanOrEqual(2);
    expect(await readFile(path, 'utf8')).toContain('n-2');
  });

  it('leaves the old page where the store cannot be written', async () => {
    await ended(store.root, 'n', 1, 'passed');
    const { path } = await writeNights({ store }, now);
    const text = await readFile(path, 'utf8');
    await rm(join(store.root, 'nights.json'));
    await mkdir(join(store.root, 'nights.json/x'), { recursive: true });
    const { env } = activityEnvironment();
    const writing = inActivity(env, () => createPageActivities({ store }).writeNightsPage());
    await expect(writing).rejects.toThrow(/EISDIR|ENOTEMPTY/);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('has a store without nights say so', async () => {
    const { path } = await writeNights({ store }, now);
    expect(await readFile(path, 'utf8')).toContain('No night has begun or been skipped yet.');
  });
});

let pending: Promise<void> = Promise.resolve();
