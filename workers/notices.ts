/**
 * Notices in the worker: of all workers one, by a lease on the outbox, observes runs and brings notices to their channels. The others wait to take over.
 * Nothing here may end the worker: what fails is logged and tried again.
 */
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Outbox } from '../activities/notify/outbox.ts';
import { Pump, type PumpLog, within } from '../activities/notify/pump.ts';
import { FolderLease } from '../activities/store/folder-lease.ts';
import type { ChannelsFile } from '../input/channels-file.ts';

/** Pause between two looks at runs, ms. */
const lookMs = 30_000;
/** A look that takes longer, since a server does not answer, is not waited for: neither is the end of the worker held up. */
const lookMostMs = 120_000;
/** Others wait for the lease at this pace, ms. */
const times = { renewMs: 5_000, staleMs: 30_000, pollMs: 2_000 };

/** What looks around, such as `RunObserver`. */
export interface Looker {
  look: (now: Date) => Promise<void>;
}

/** Runs until the signal. */
export async function keepTelling(
  { store, channels, log }: { store: string; channels: ChannelsFile; log: PumpLog },
  lookersOf: (outbox: Outbox) => readonly Looker[],
  signal: AbortSignal,
): Promise<void> {
  const outbox = new Outbox(store);
  while (!signal.aborted) {
    try {
      await mkdir(outbox.folder, { recursive: true, mode: 0o750 });
      const lease = await FolderLease.take(outbox.folder, signal, times);
      try {
        await outbox.sweep(new Date());
        await underLease(outbox, lease, { channels, log }, lookersOf(outbox), signal);
      } finally {
        await lease.release();
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn('notices are held up', { why: error instanceof Error ? error.message : String(error) });
      await sleep(lookMs, undefined, { signal }).catch(() => undefined); // aborted: the condition sees it
    }
  }
}

async function underLease(
  outbox: Outbox,
  lease: FolderLease,
  { channels, log }: { channels: ChannelsFile; log: PumpLog },
  lookers: readonly Looker[],
  signal: AbortSignal,
): Promise<void> {
  // If one part ends by an error, the others end too, and all begin again under a new lease.
  const own = new AbortController();
  const both = AbortSignal.any([signal, own.signal]);
  const pump = new Pump(outbox, channels, log).run(both, () => lease.check());
  const looking = lookAround(lookers, lease, log, both);
  try {
    await Promise.all([pump, looking]);
  } finally {
    own.abort();
    await Promise.allSettled([pump, looking]);
  }
}

async function lookAround(
  lookers: readonly Looker[],
  lease: FolderLease,
  log: PumpLog,
  signal: AbortSignal,
): Promise<void> {
  // Side by side: one that waits for a server must not make the night watch late.
  const looking = lookers.map(async (looker) => {
    while (!signal.aborted) {
      await lease.check();
      await within(lookMostMs, signal, async () => looker.look(new Date())).catch((error: unknown) => {
        if (!signal.aborted) log.warn('a look at what people must know has failed', { why: String(error) });
      });
      await sleep(lookMs, undefined, { signal }).catch(() => undefined); // aborted: the condition sees it
    }
  });
  await Promise.all(looking);
}
