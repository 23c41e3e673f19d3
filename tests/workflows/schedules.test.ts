/** Schedules of nights on a real Temporal server: what the command makes of files, and what Temporal does with it. */
import { describe, expect, it } from 'vitest';
import { type Client, ScheduleNotFoundError } from '@temporalio/client';
import { apply, changesView } from '../../cli/commands/schedule/apply.ts';
import { backfill, changedView, pause, remove, trigger, unpause } from '../../cli/commands/schedule/change.ts';
import { describedView, describeNight, listNights, listView } from '../../cli/commands/schedule/look.ts';
import { scheduleOf } from '../../cli/commands/schedule/schedules.ts';
import { nightScheduleId } from '../../domain/names.ts';
import type { Night } from '../../domain/nights/night.ts';
import { plan, stubs, until, withWorkers } from './harness.ts';

const night = (name: string, fields: Partial<Night> = {}): Night => ({
  schema: 1,
  name,
  source: '/recipes',
  recipe: 'r.yaml',
  calendar: { at: '01:30', days_of_week: ['sunday', 'monday'] },
  time_zone: 'Europe/Berlin',
  jitter_minutes: 5,
  overlap: 'skip',
  catch_up_minutes: 60,
  pause_on_failure: false,
  at_deadline: 'go-on',
  ...fields,
});

const byHand = async (nights: Night[], client: Client, more: { prune?: boolean; dryRun?: boolean } = {}) =>
  (await apply(client, { nights, prune: false, dryRun: false, ...more })).map(
    ({ night: of, action }) => `${action} ${of}`,
  );

async function withServer(work: (client: Client) => Promise<void>, overrides: Parameters<typeof stubs>[0] = {}) {
  const { activities, calls } = stubs(overrides);
  await withWorkers(activities, [], async (client) => {
    try {
      await work(client);
    } finally {
      for await (const { scheduleId } of client.schedule.list()) await client.schedule.getHandle(scheduleId).delete();
    }
  });
  return calls;
}

const listed = (client: Client, many: number) =>
  until(
    () => listNights(client),
    (found) => found.length === many,
  );

describe('critic schedule', () => {
  it('apply creates, keeps, updates and prunes; a dry run changes nothing; what is paused stays so', async () => {
    await withServer(async (client) => {
      expect(await byHand([night('a')], client, { dryRun: true })).toEqual(['create a']);
      expect(await listNights(client)).toEqual([]);
      expect(await byHand([night('a'), night('b')], client)).toEqual(['create a', 'create b']);
      await listed(client, 2);
      expect(await byHand([night('a'), night('b')], client)).toEqual(['keep a', 'keep b']);
      await pause(client, 'a', 'the cluster moves');

      const changed = night('a', { calendar: { at: '02:00' }, deadline: '07:00' });
      const changes = await apply(client, { nights: [changed], prune: true, dryRun: false });
      expect(changesView.lines(changes)).toEqual([
        '~ a: updated (paused, and stays so)',
        '    calendar: {"at":"01:30","days_of_week":["sunday","monday"]} -> {"at":"02:00"}',
        '    deadline: null -> "07:00"',
        '- b: deleted',
      ]);
      const would = await apply(client, { nights: [night('c')], prune: false, dryRun: true });
      expect(changesView.lines(would)[0]).toBe('+ c: would be created');
      expect(changesView.lines(would).at(-1)).toBe('Nothing was changed: this was a dry run.');
      await listed(client, 1);
      const { spec, state, info } = await client.schedule.getHandle(nightScheduleId('a')).describe();
      expect(state).toMatchObject({ paused: true, note: 'the cluster moves' });
      expect(spec.calendars).toHaveLength(1);
      expect(spec.timezone).toBe('Europe/Berlin');
      expect(info.numActionsTaken).toBe(0);
      expect(await trigger(client, 'a')).toMatchObject({ status: 'triggered', paused: true });
      await unpause(client, 'a');
      expect((await describeNight(client, 'a')).paused).toBe(false);
    });
  });

  it('apply by several at once, and at once after another, comes to the same', async () => {
    await withServer(async (client) => {
      const nights = [night('at-once-1'), night('at-once-2')];
      const all = await Promise.all([1, 2, 3].map(() => apply(client, { nights, prune: false, dryRun: false })));
      const made = all.flat().filter(({ action }) => action === 'create');
      expect(made.map(({ night: name }) => name).toSorted()).toEqual(['at-once-1', 'at-once-2']);
      // Temporal's list may not have them yet.
      const again = await apply(client, { nights, prune: false, dryRun: false });
      expect(again.map(({ action }) => action)).toEqual(['keep', 'keep']);
      for (const { name } of nights) await remove(client, name);
    });
  });

  it('apply shows what somebody has edited in the UI, and makes it as the file says again', async () => {
    await withServer(async (client) => {
      const { calendar: _, ...rest } = night('cron');
      const both = [night('a'), { ...rest, cron: '*/30 1-3 * * mon' }];
      await byHand(both, client);
      await listed(client, 2);
      const handle = client.schedule.getHandle(nightScheduleId('a'));
      await handle.update((now) => ({ ...now, spec: { ...now.spec, timezone: 'UTC' } }));
      expect(await byHand(both, client, { dryRun: true })).toEqual(['update a', 'keep cron']);
      const [change] = await apply(client, { nights: both, prune: false, dryRun: false });
      expect(changesView.lines(change === undefined ? [] : [change]).join('\n')).toMatch(
        /times \(edited beside the file\): .*"UTC".* -> .*"Europe\/Berlin"/,
      );
      expect((await handle.describe()).spec.timezone).toBe('Europe/Berlin');
      expect(await byHand(both, client)).toEqual(['keep a', 'keep cron']);
      await handle.pause('for a while');
      expect(await byHand(both, client)).toEqual(['keep a', 'keep cron']);
      // Killed after the schedule was made, and before what Temporal made of it was kept: the next apply keeps it.
      await client.schedule.create(scheduleOf(night('half')));
      await listed(client, 3);
      const all = [...both, night('half')];
      expect((await byHand(all, client)).at(-1)).toBe('keep half');
      const half = client.schedule.getHandle(nightScheduleId('half'));
      await half.update((now) => ({ ...now, policies: { ...now.policies, catchupWindow: 3_600_001 } }));
      expect((await byHand(all, client)).at(-1)).toBe('update half');
      expect((await byHand(all, client)).at(-1)).toBe('keep half');
    });
  });

  it('prunes nights of those clusters alone that the files name', async () => {
    await withServer(async (client) => {
      const onA = night('on-a', { cluster: 'a' });
      expect(await byHand([night('here'), onA], client)).toEqual(['create here', 'create on-a']);
      await listed(client, 2);
      expect(await byHand([night('new')], client, { prune: true })).toEqual(['create new', 'delete here']);
      await listed(client, 2);
      expect(await byHand([night('new'), night('on-b', { cluster: 'a' })], client, { prune: true })).toEqual([
        'keep new',
        'create on-b',
        'delete on-a',
      ]);
    });
  });

  it('says which night a wrong cron is in, and whether a name is taken twice', async () => {
    await withServer(async (client) => {
      const { calendar: _, ...rest } = night('c');
      await expect(byHand([{ ...rest, cron: '99 1 * * *' }], client)).rejects.toThrow(/^night "c": Temporal refused/);
      await expect(byHand([night('a'), night('a')], client)).rejects.toThrow(/expected each name once/);
      await expect(describeNight(client, 'nope')).rejects.toThrow(/^night "nope": expected the name of a schedule/);
    });
  });

  it('lists and describes: the next five in the zone of the night, and how the last ones ended', async () => {
    await withServer(
      async (client) => {
        await byHand([night('seen', { jitter_minutes: 0 })], client);
        await listed(client, 1);
        await trigger(client, 'seen');
        const seen = await until(
          () => describeNight(client, 'seen'),
          ({ lastNights }) => lastNights[0]?.verdict === 'passed',
        );
        expect(seen.nextNights).toHaveLength(5);
        // 01:30 in Berlin.
        for (const at of seen.nextNights) expect(at).toMatch(/T(?:23|00):30:00\.000Z$/);
        const lines = describedView.lines(describedView.schema.parse(seen));
        expect(lines.join('\n')).toMatch(/Last nights \(UTC\)\n {2}.* passed seen-run/);
        expect(listView.lines(await listNights(client)).join('\n')).toMatch(
          /^NIGHT {2}NEXT \(UTC\) {8}LAST \(UTC\)\nseen {3}\d{4}-[\d-]{5} [\d:]{5} {2}passed \d{4}-/,
        );
      },
      { beginNight: async () => ({ plan: plan('seen-run'), commit: null, deadline: null }) },
    );
  });

  it('backfill lives past nights one after another, each with the time at which it was due', async () => {
    const begun: string[] = [];
    let open = 0;
    let most = 0;
    await withServer(
      async (client) => {
        await byHand([night('past', { calendar: { at: '01:30' }, jitter_minutes: 0, time_zone: 'UTC' })], client);
        const span = { from: new Date('2026-11-01'), to: new Date('2026-11-04') };
        expect(changedView.lines(await backfill(client, 'past', span))).toEqual([
          'past lives 3 nights, one after another:',
          '  2026-11-01 01:30 UTC',
          '  2026-11-02 01:30 UTC',
          '  2026-11-03 01:30 UTC',
        ]);
        const none = { from: new Date('2026-11-04'), to: new Date('2026-11-04T01:00Z') };
        expect(changedView.lines(await backfill(client, 'past', none))).toEqual(['past had no night in that time']);
        await until(
          () => describeNight(client, 'past'),
          ({ lastNights }) => lastNights.filter(({ verdict }) => verdict === 'passed').length === 3,
        );
      },
      {
        takeNightTurn: async () => {
          open += 1;
          most = Math.max(most, open);
          return { turn: 1 };
        },
        beginNight: async ({ at }) => {
          begun.push(at);
          return { plan: plan(`past-run-${begun.length}`), commit: null, deadline: null };
        },
        endNight: async () => void (open -= 1),
      },
    );
    expect(begun).toEqual(['2026-11-01T01:30:00.000Z', '2026-11-02T01:30:00.000Z', '2026-11-03T01:30:00.000Z']);
    expect(most).toBe(1);
  });

  it('delete removes it, and refuses one that is not there', async () => {
    await withServer(async (client) => {
      await byHand([night('gone')], client);
      expect(await remove(client, 'gone')).toEqual({ night: 'gone', status: 'deleted' });
      await expect(remove(client, 'gone')).rejects.toThrow(/expected the name of a schedule/);
      await expect(client.schedule.getHandle(nightScheduleId('gone')).describe()).rejects.toThrow(
        ScheduleNotFoundError,
      );
    });
  });
});
