/**
 * Dev split: which sources of `train` become `dev` where a dataset has none. All edits of one source image go together, since the score of one edit tells of
 * the next. A source that is in another split too stays in `train`: choosing by it would be choosing by the test pictures.
 *
 * The recipe's seed has no say. Runs of several seeds must be comparable on one dev split, and a seed that changed the dataset's key would have
 * all critiques paid for again.
 */
import type { Pair } from './manifest.ts';
import { describeFault } from './errors.ts';
import { seededRandom, textHash } from './evaluation/seeded-random.ts';

/**
 * The pairs in their order, with `dev` for those of the chosen sources: `fraction` (above 0, at most 0.5) of the sources that are in `train` alone, rounded.
 * Sources are taken in the order of their hashes, so the dev split of a larger fraction holds that of a smaller one. One sentence if it cannot be done.
 */
export function carveDev<P extends Pick<Pair, 'source_id' | 'split'>>(
  pairs: readonly P[],
  fraction: number,
): { pairs: P[] } | { fault: string } {
  const refused = (expected: string) => {
    return { fault: describeFault({ field: 'recipe.dataset.dev_fraction', value: fraction, expected }) };
  };
  const own = pairs.filter(({ split }) => split === 'dev').length;
  if (own > 0) return refused(`no such key for a dataset that has a dev split of its own, of ${own} rows`);
  const elsewhere = new Set(pairs.flatMap(({ split, source_id: source }) => (split === 'train' ? [] : [source])));
  const train = new Set(pairs.flatMap(({ split, source_id: source }) => (split === 'train' ? [source] : [])));
  const candidates = [...train].filter((source) => !elsewhere.has(source)).toSorted(byHash);
  const count = Math.round(fraction * candidates.length);
  const alone = `${candidates.length} sources that are in split "train" alone`;
  if (count === 0) return refused(`enough for one source of the ${alone}`);
  if (count === train.size) return refused(`to leave a source in split "train", which has ${train.size}`);
  const chosen = new Set(candidates.slice(0, count));
  return { pairs: pairs.map((pair) => (chosen.has(pair.source_id) ? { ...pair, split: 'dev' } : pair)) };
}

function byHash(a: string, b: string): number {
  return place(a) - place(b) || (a < b ? -1 : 1);
}

/** Neighbours such as `00001` and `00002` have FNV hashes that are close. One draw spreads them. */
function place(source: string): number {
  return seededRandom(textHash(source))();
}
