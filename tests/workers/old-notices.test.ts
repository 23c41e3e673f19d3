/** Which notices are removed, and what a kill in the middle of it leaves. */
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outbox } from '../../activities/notify/outbox.ts';
import { keptMs, OldNotices } from '../../workers/old-notices.ts';

const now = new Date('2026-11-28T12:00:00.000Z');
let root = '';
let outbox: Outbox;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'critic-old-notices-'));
  outbox = new Outbox(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const describeRun = async (run: string) => {
  if (run === 'forgotten') throw new WorkflowNotFoundError('not found', run, undefined);
  return { status: { name: run === 'open' ? 'RUNNING' : 'COMPLETED' } };
};
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
const client = {
  workflow: { getHandle: (run: string) => ({ describe: () => describeRun(run) }) },
} as unknown as Client;

async function notice(id: string, days: number, run?: string): Promise<void> {
  const at = new Date(now.getTime() - days * 86_400_000).toISOString();
  await outbox.put({
    id,
    kind: 'failed',
    at,
    title: id,
    text: '',
    commands: [],
    ...(run === undefined ? {} : { run }),
  });
  await outbox.mark(id, 'mail', { state: 'sent', tries: 1, since: at, sent: at });
}
const files = () => readdirSync(outbox.folder).toSorted();

describe('old notices', () => {
  it('are removed with their deliveries after 60 days, but not those of runs that go on', async () => {
    const days = keptMs / 86_400_000;
    expect(days).toBe(60);
    await notice('new', days - 1, 'over');
    await notice('night', days + 1);
    await notice('over', days + 1, 'over');
    await notice('forgotten', days + 1, 'forgotten');
    await notice('asks', days + 1, 'open');
    await new OldNotices(client, outbox).look(now);
    expect(files()).toEqual(['asks.json', 'asks@mail.json', 'new.json', 'new@mail.json']);
  });

  it('of a removal that was killed are not sent again, and what it left goes a day later', async () => {
    await notice('half', 100, 'over');
    await notice('whole', 1);
    await unlink(join(outbox.folder, 'half.json'));
    expect(await outbox.ids()).toEqual(['whole']);
    await new OldNotices(client, outbox).look(now);
    expect(files()).toContain('half@mail.json');
    const then = new Date(now.getTime() - 2 * 86_400_000);
    utimesSync(join(outbox.folder, 'half@mail.json'), then, then);
    await new OldNotices(client, outbox).look(now);
    expect(files()).toEqual(['whole.json', 'whole@mail.json']);
  });
});
