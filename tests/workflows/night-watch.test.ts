/** The night watch on a real Temporal server: a night that did not begin is told, with the reason, once. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { describe, expect, inject, it } from 'vitest';
import { apply } from '../../cli/commands/schedule/apply.ts';
import { pause, remove } from '../../cli/commands/schedule/change.ts';
import { nightScheduleId, taskQueues } from '../../domain/names.ts';
import { type Night, nightWorkflowId } from '../../domain/nights/night.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { NightWatch } from '../../workers/night-watch.ts';
import { until } from './harness.ts';
import { aNight } from '../domain/night-fixture.ts';

const night = (name: string): Night => aNight({ name, cron: '0 * * * *', tell: ['mail'] });

const nightKey = defineSearchAttributeKey('CriticNight', SearchAttributeType.KEYWORD);
const minutes = (at: string, more: number) => new Date(new Date(at).getTime() + more * 60_000);

/** A schedule, and a night watch whose clock the test sets. No worker runs. */
async function watched(
  name: string,
  work: (at: { client: Client; store: string; look: (now: Date) => Promise<Notice[]>; due: string }) => Promise<void>,
) {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const client = new Client({ connection });
  const store = mkdtempSync(join(tmpdir(), 'critic-watch-'));
  const told = new Map<string, Notice>();
  const put = async (notice: Notice) => told.set(notice.id, told.get(notice.id) ?? notice);
  const look = async (now: Date) => {
    await new NightWatch(client, { put }, store).look(now);
    return [...told.values()].filter((notice) => notice.night === name);
  };
  await apply(client, { nights: [night(name)], prune: false, dryRun: false });
  try {
    await until(
      () => look(new Date()),
      () => {
        const kept = readdue(store, name);
        return kept !== undefined && kept.due.length > 0;
      },
    );
    await work({ client, store, look, due: readdue(store, name)?.due[0] ?? '' });
  } finally {
    await remove(client, name);
    await connection.close();
  }
}

function readdue(store: string, name: string): { due: string[]; paused: string | null } | undefined {
  try {
    return JSON.parse(readFileSync(join(store, 'nights', name, 'due.json'), 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

describe('a night of another cluster', () => {
  it('is left to that one, also when it moves there', async () => {
    await watched('moves', async ({ client, look, due }) => {
      const handle = client.schedule.getHandle(nightScheduleId('moves'));
      await handle.update(({ action, ...rest }) => ({ ...rest, action: { ...action, taskQueue: 'critic@a' } }));
      expect(await look(minutes(due, 11))).toEqual([]);
    });
  });
});

describe('a night that this release cannot read', () => {
  it('is told once, with what is wrong, and is watched all the same', async () => {
    await watched('newer', async ({ client, store, look }) => {
      const handle = client.schedule.getHandle(nightScheduleId('newer'));
      const args = [{ ...night('newer'), schema: 2, moon: 'full' }];
      await handle.update(({ action, ...rest }) => ({ ...rest, action: { ...action, args } }));
      rmSync(join(store, 'nights/newer'), { recursive: true });
      const now = new Date();
      const [told, ...others] = await look(now);
      expect(others).toEqual([]);
      expect(told).toMatchObject({ kind: 'night-failed', night: 'newer', to: ['mail'] });
      expect(told?.title).toBe('night newer cannot be read by this release, so its nights begin no run');
      expect(told?.text).toContain('night.schema: expected 1');
      expect(told?.text).toContain('night.moon: unknown key');
      expect(await look(minutes(now.toISOString(), 1))).toHaveLength(1);
      const due = readdue(store, 'newer')?.due[0] ?? '';
      const all = await look(minutes(due, 11));
      expect(all.map(({ id }) => id.split('-').slice(-2).join('-'))).toContain('not-begun');
      // A person who applies its file ends it; what is wrong anew is told anew.
      await apply(client, { nights: [night('newer')], prune: false, dryRun: false });
      expect((await look(minutes(due, 12))).filter(({ kind }) => kind === 'night-failed')).toHaveLength(1);
    });
  });
});

describe('a night that has not begun', () => {
  it('is told ten minutes after it was due and not before, once', async () => {
    await watched('lost', async ({ look, due }) => {
      expect(await look(minutes(due, 9))).toEqual([]);
      const [told, ...others] = await look(minutes(due, 11));
      expect(others).toEqual([]);
      expect(told).toMatchObject({ kind: 'night-skipped', night: 'lost', to: ['mail'] });
      expect(told?.title).toMatch(/^night lost of .* UTC has not begun: Temporal began none/);
      expect(await look(minutes(due, 12))).toHaveLength(1);
    });
  });

  it('because its schedule is paused says so, with the note', async () => {
    await watched('paused', async ({ client, look, due }) => {
      await pause(client, 'paused', 'the cluster moves');
      const [told] = await look(minutes(due, 11));
      expect(told?.title).toMatch(/has not begun: its schedule is paused: the cluster moves$/);
      expect(told?.text).toContain('It does not begin any more.');
      // The next one is known too, though no night begins.
      expect(await look(minutes(due, 72))).toHaveLength(2);
    });
  });

  it('because no worker lives says so; one that has ended is not told', async () => {
    await watched('idle', async ({ client, due }) => {
      const { action } = await client.schedule.getHandle(nightScheduleId('idle')).describe();
      // As Temporal begins it, by hand since the hour has not come.
      const handle = await client.workflow.start('runNight', {
        workflowId: nightWorkflowId('idle', new Date(due)),
        taskQueue: taskQueues.workflows,
        args: [night('idle')],
        typedSearchAttributes: action.typedSearchAttributes ?? [],
      });
      await until(
        async () => client.workflow.count(`WorkflowType = 'runNight' AND CriticNight = 'idle'`),
        ({ count }) => count === 1,
      );
      // It has no time of a schedule, so that of its start counts.
      const soon = new Date().toISOString();
      const kept = JSON.stringify({ schema: 1, night: night('idle'), due: [soon], paused: null });
      const other = mkdtempSync(join(tmpdir(), 'critic-watch-'));
      mkdirSync(join(other, 'nights/idle'), { recursive: true });
      writeFileSync(join(other, 'nights/idle/due.json'), kept);
      const told: Notice[] = [];
      await new NightWatch(client, { put: async (notice) => told.push(notice) }, other).look(minutes(soon, 11));
      expect(told.find(({ night: of }) => of === 'idle')?.title).toMatch(/no worker has taken it up$/);
      await handle.terminate('by hand');
      // A night that has ended, however it did, was begun.
      writeFileSync(join(other, 'nights/idle/due.json'), kept);
      const after: Notice[] = [];
      await until(
        async () => client.workflow.count(`CriticNight = 'idle' AND ExecutionStatus = 'Running'`),
        ({ count }) => count === 0,
      );
      await new NightWatch(client, { put: async (notice) => after.push(notice) }, other).look(minutes(soon, 11));
      expect(after.filter(({ night: of }) => of === 'idle')).toEqual([]);
    });
  });

  it('is not told of one that has begun, though no server answers when it would be', async () => {
    await watched('begun', async ({ client, store, look, due }) => {
      const soon = new Date().toISOString();
      const kept = { schema: 1, night: night('begun'), due: [soon], paused: null };
      writeFileSync(join(store, 'nights/begun/due.json'), JSON.stringify(kept));
      const handle = await client.workflow.start('runNight', {
        workflowId: nightWorkflowId('begun', new Date(due)),
        taskQueue: taskQueues.workflows,
        args: [night('begun')],
        typedSearchAttributes: [{ key: nightKey, value: 'begun' }],
      });
      await handle.terminate('it has begun');
      await until(
        async () => client.workflow.count(`CriticNight = 'begun' AND ExecutionStatus = 'Terminated'`),
        ({ count }) => count === 1,
      );
      expect(await look(minutes(soon, 1))).toEqual([]);
      expect(readdue(store, 'begun')?.due).not.toContain(soon);
      const deaf = new Client({ connection: Connection.lazy({ address: '127.0.0.1:1' }) });
      const told: Notice[] = [];
      await new NightWatch(deaf, { put: async (notice) => told.push(notice) }, store).look(minutes(soon, 11));
      expect(told).toEqual([]);
      await deaf.connection.close();
    });
  });

  it('is told though another one cannot be told', async () => {
    await watched('unlucky', async ({ client, store, due }) => {
      await apply(client, { nights: [night('as-unlucky')], prune: false, dryRun: false });
      const other = { schema: 1, night: night('as-unlucky'), due: [due], paused: null };
      mkdirSync(join(store, 'nights/as-unlucky'));
      writeFileSync(join(store, 'nights/as-unlucky/due.json'), JSON.stringify(other));
      const tried: Notice[] = [];
      const put = async (notice: Notice) => {
        tried.push(notice);
        if (tried.length === 1) throw new Error('the disk is full');
      };
      const looked = new NightWatch(client, { put }, store).look(minutes(due, 11));
      await expect(looked).rejects.toThrow('the disk is full');
      await remove(client, 'as-unlucky');
      const nights = tried.map(({ night: of = '' }) => of).filter((of) => of.endsWith('unlucky'));
      expect(nights.toSorted()).toEqual(['as-unlucky', 'unlucky']);
      // What could not be told is still due, and told by the next look.
      expect(nights.filter((of) => readdue(store, of)?.due.includes(due))).toEqual(nights.slice(0, 1));
    });
  });

  it('because no server answers is told from what was kept on disk', async () => {
    await watched('deaf', async ({ store, due }) => {
      const connection = Connection.lazy({ address: '127.0.0.1:1' });
      const told: Notice[] = [];
      const client = new Client({ connection });
      await new NightWatch(client, { put: async (notice) => told.push(notice) }, store).look(minutes(due, 11));
      expect(told.map(({ title }) => title)).toEqual([expect.stringMatching(/no Temporal server answers$/)]);
      expect(told[0]?.text).toMatch(/^no Temporal server answers\. It still begins if that is mended by /);
      await connection.close();
    });
  });
});
