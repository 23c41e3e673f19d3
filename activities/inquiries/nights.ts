/** All nights, and their page written anew. */
import * as z from 'zod';
import { cut } from '../../domain/errors.ts';
import type { NightSummary } from '../../domain/inquiries.ts';
import type { NightRow } from '../pages/night-rows.ts';
import { writeNights } from '../pages/nights.ts';
import type { StoreDeps } from '../store/deps.ts';
import type { Answerer } from './answerer.ts';

/** Safe to repeat: the page is replaced by the same one. */
export function answerNights(deps: StoreDeps): Answerer<'nights'> {
  return {
    input: z.strictObject({ limit: z.int().min(1).max(100) }),
    answer: async ({ limit }) => {
      const { path, url, nights } = await writeNights(deps, () => new Date());
      const rows = nights.nights.flatMap((one) => one.rows).toSorted((a, b) => (a.at < b.at ? 1 : -1));
      return {
        page: path,
        url: url ?? null,
        nights: rows.slice(0, limit).map(summaryOf),
        unreadable: nights.unreadable.slice(0, limit).map((one) => cut(one, 200)),
      };
    },
  };
}

function summaryOf({ night, at, verdict, why, run, nothingNew, digest }: NightRow): NightSummary {
  const change = digest?.champion?.change ?? null;
  return {
    night,
    at,
    verdict,
    why: cut(why, 300),
    run,
    nothingNew,
    score: digest?.score?.value ?? null,
    interval: digest?.score?.interval ?? null,
    change: change === null || change === 'same' ? null : change.estimate,
    usd: digest?.usd?.spent ?? null,
    gpuHours: digest?.gpuHours?.used ?? null,
    gpuHoursWasted: digest?.gpuHours?.wasted ?? null,
  };
}
