/** A dev split is carved by source: no source is in both, and nothing else decides. */
import { describe, expect, it } from 'vitest';
import { carveDev } from '../../domain/dev-split.ts';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import type { Pair } from '../../domain/manifest.ts';

type Row = Pick<Pair, 'source_id' | 'split'> & { id: number };

function carved(rows: readonly Row[], fraction: number): Row[] {
  const result = carveDev(rows, fraction);
  if ('fault' in result) throw new Error(result.fault);
  return result.pairs;
}

function sources(rows: readonly Row[], split: Pair['split']): Set<string> {
  return new Set(rows.filter((row) => row.split === split).map((row) => row.source_id));
}

function inBoth(one: ReadonlySet<string>, other: ReadonlySet<string>): string[] {
  return [...one].filter((source) => other.has(source));
}

/** Rows of up to 40 sources, with up to five edits each; a third of the sources are in test too. */
function randomRows(seed: number): Row[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const count = 10 + below(30);
  return Array.from({ length: count }, (_, index) => index).flatMap((index) => {
    const shared = index % 3 === 2;
    return Array.from({ length: 2 + below(4) }, (_each, edit): Row => {
      const isTest = shared && edit === 0;
      return { id: index * 10 + edit, source_id: `${seed}-${index}`, split: isTest ? 'test' : 'train' };
    });
  });
}

describe('a carved dev split', () => {
  it('shares no source with train or test, keeps each row, its order and the test split, whatever the dataset', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const rows = randomRows(seed);
      const fraction = 0.1 + (seed % 9) * 0.05;
      const after = carved(rows, fraction);
      const dev = sources(after, 'dev');
      expect(inBoth(dev, sources(after, 'train'))).toEqual([]);
      expect(inBoth(dev, sources(after, 'test'))).toEqual([]);
      expect(after.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
      const changed = after.filter((row, index) => row.split !== rows[index]?.split);
      expect(changed.every((row) => row.split === 'dev')).toBe(true);
      const [train, test] = [sources(rows, 'train'), sources(rows, 'test')];
      const alone = train.size - inBoth(train, test).length;
      expect(dev.size).toBe(Math.round(fraction * alone));
    }
  });

  it('is the same in any order of the rows, and grows with the fraction', () => {
    const rows = randomRows(7);
    const few = sources(carved(rows, 0.2), 'dev');
    expect(sources(carved(rows.toReversed(), 0.2), 'dev')).toEqual(few);
    expect(inBoth(few, sources(carved(rows, 0.4), 'dev'))).toEqual([...few]);
  });

  it('takes numbered sources from all of the numbers', () => {
    const rows = Array.from({ length: 300 }, (_, id): Row => {
      return { id, source_id: String(id).padStart(5, '0'), split: 'train' };
    });
    const dev = carved(rows, 0.2).filter(({ split }) => split === 'dev');
    for (const third of [0, 1, 2]) {
      const inThird = dev.filter(({ id }) => Math.floor(id / 100) === third).length;
      expect(inThird).toBeGreaterThan(10);
      expect(inThird).toBeLessThan(30);
    }
  });

  it.each<[string, number, [string, Pair['split']][], string]>([
    [
      'a dev split of its own',
      0.5,
      [
        ['a', 'train'],
        ['b', 'train'],
        ['c', 'dev'],
      ],
      'expected no such key for a dataset that has a dev split of its own, of 1 rows, got 0.5',
    ],
    [
      'too few sources for one in dev',
      0.1,
      [
        ['a', 'train'],
        ['b', 'train'],
        ['c', 'test'],
      ],
      'expected enough for one source of the 2 sources that are in split "train" alone, got 0.1',
    ],
    [
      'no source that is in train alone',
      0.5,
      [
        ['a', 'train'],
        ['a', 'test'],
      ],
      'expected enough for one source of the 0 sources that are in split "train" alone, got 0.5',
    ],
    [
      'one source, which would leave train empty',
      0.5,
      [
        ['a', 'train'],
        ['a', 'train'],
        ['c', 'test'],
      ],
      'expected to leave a source in split "train", which has 1, got 0.5',
    ],
  ])('is refused in one sentence for %s', (_what, fraction, rows, sentence) => {
    const given = rows.map(([source, split], id): Row => ({ id, source_id: source, split }));
    expect(carveDev(given, fraction)).toEqual({ fault: `recipe.dataset.dev_fraction: ${sentence}` });
  });
});
