/** A process that holds a folder's lease: `node lease-child.ts FOLDER STALE_MS`. Prints `held`, and what `check` says each time it is asked. */
import { createInterface } from 'node:readline';
import { FolderLease } from '../../../activities/store/folder-lease.ts';

const [folder = '', staleMs = ''] = process.argv.slice(2);
const never = new AbortController().signal;
const lease = await FolderLease.take(folder, never, { renewMs: 50, staleMs: Number(staleMs), pollMs: 20 });
console.log('held');
const asked = createInterface({ input: process.stdin });
for await (const line of asked) {
  if (line !== 'check') throw new Error(`expected "check", got "${line}"`);
  const said = await lease.check().then(
    () => 'mine',
    (error: unknown) => (error instanceof Error && 'type' in error ? String(error.type) : 'unknown'),
  );
  console.log(said);
}
