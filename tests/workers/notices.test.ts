/** What looks around in the worker: each at its own pace. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keepTelling } from '../../workers/notices.ts';

it('a look that waits for a server holds up no other', async () => {
  const store = mkdtempSync(join(tmpdir(), 'critic-lookers-'));
  const stop = new AbortController();
  let looks = 0;
  const hanging = { look: () => new Promise<void>(() => undefined) };
  const quick = {
    look: async () => {
      looks += 1;
    },
  };
  const channels = { channels: {}, default: [] };
  const telling = keepTelling({ store, channels, log: { warn: () => undefined } }, () => [hanging, quick], stop.signal);
  await expect.poll(() => looks, { timeout: 20_000 }).toBeGreaterThan(0);
  stop.abort();
  await telling;
  rmSync(store, { recursive: true, force: true });
}, 30_000);
