/** Promotions by machines that see the store a minute late. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultsOfHistory, killedPromoters, promoter } from '../activities/gate/promoters.ts';
import { viewed } from './view.ts';

describe('the champions of a store that machines see a minute late', () => {
  it('only rise, one after another, and all of them are kept, though promoters are killed', async () => {
    const { real, a, b } = viewed(60, 'a', 'b');
    const folder = (view: string) => join(view, 'champions', 'test');
    const [first, second, third, killed] = await Promise.all([
      promoter({ folder: folder(real), name: 'a', candidates: 100, seed: 101 }),
      promoter({ folder: folder(a), name: 'b', candidates: 100, seed: 102 }),
      promoter({ folder: folder(b), name: 'c', candidates: 100, seed: 103, stale: true }),
      killedPromoters(folder(b), 'k', 5),
    ]);
    expect(await faultsOfHistory(folder(real), [first, second, third, ...killed])).toEqual([]);
  });
});
