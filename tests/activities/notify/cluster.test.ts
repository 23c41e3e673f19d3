/** Of which cluster a notice is, where several tell the same people. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Outbox } from '../../../activities/notify/outbox.ts';
import { claimStore } from '../../../activities/store/own-cluster.ts';
import type { Notice } from '../../../domain/notices/notice.ts';
import { temporaryFolder } from '../fixtures.ts';

const notice: Notice = {
  id: 'run-demo-1-ended',
  kind: 'failed',
  at: '2026-11-28T01:00:00.000Z',
  run: 'demo-1',
  title: 'run demo-1 has failed',
  text: '',
  commands: [],
};

it('names the cluster whose store it is kept in, if that has a name', async () => {
  const root = await temporaryFolder();
  const outbox = new Outbox(root);
  await outbox.put(notice);
  expect(await outbox.read(notice.id)).toEqual(notice);
  await claimStore(root, 'a100');
  await outbox.put({ ...notice, id: 'other' });
  expect(await outbox.read('other')).toMatchObject({ cluster: 'a100', title: 'cluster a100: run demo-1 has failed' });
  // A file that says nothing holds no notice up.
  await writeFile(join(root, 'cluster/owner.json'), 'x');
  expect(await outbox.put({ ...notice, id: 'third' })).toBe('put');
});
