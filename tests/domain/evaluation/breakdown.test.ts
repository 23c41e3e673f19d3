import { describe, expect, it } from 'vitest';
import { breakDown, type Breakdown, type BreakdownRow } from '../../../domain/evaluation/breakdown.ts';
import { judgeText } from '../../../domain/evaluation/evaluation.ts';
import { refusalOf } from '../../../domain/evaluation/unmeasured.ts';
import { agreement } from '../../../domain/evaluation/metrics.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

/** 4 edits of each source. The critic's score follows the quality label with some noise, and what it says of fidelity is always right. */
function rowsOf(count: number): BreakdownRow[] {
  const random = seededRandom(7);
  return Array.from({ length: count }, (_, index) => {
    const [alignment, fidelity, quality] = [1 + 4 * random(), 1 + 4 * random(), 1 + 4 * random()];
    return {
      id: `p${index}`,
      source: `s${Math.floor(index / 4)}`,
      mos: (alignment + fidelity + quality) / 3,
      method: index % 3 === 0 ? 'PnP' : 'Bagel',
      labels: { alignment, fidelity, quality },
      score: Math.min(5, Math.max(1, quality + 0.4 * (random() - 0.5))),
      ratings: { fidelity },
    };
  });
}

function whole(rows: readonly BreakdownRow[]): Breakdown {
  const steps = breakDown(rows, 1);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe('a breakdown', () => {
  const rows = rowsOf(120);
  const found = whole(rows);

  it('says which dimension the score follows, and how well what the critique says of one agrees', () => {
    const { alignment, fidelity, quality } = found.dimensions;
    expect(quality?.overall.metrics?.srcc.value).toBeGreaterThan(0.95);
    expect(Math.abs(alignment?.overall.metrics?.srcc.value ?? 1)).toBeLessThan(0.3);
    expect(fidelity?.stated).toMatchObject({
      rows: 120,
      valid: 120,
      metrics: { srcc: { value: 1 }, bias: { value: 0 } },
    });
    const { interval } = quality?.overall.metrics?.srcc ?? {};
    expect(interval?.[0]).toBeLessThan(quality?.overall.metrics?.srcc.value ?? 0);
  });

  it('refuses a dimension of which the critique says nothing, with the counts', () => {
    expect(found.dimensions.quality?.stated).toEqual({
      rows: 120,
      valid: 0,
      metrics: null,
      refused: '0 of 120 rows are valid, expected at least 10 and 50 %',
    });
  });

  it('measures each method as the whole is measured', () => {
    expect(Object.keys(found.methods)).toEqual(['Bagel', 'PnP']);
    const those = rows.filter(({ method }) => method === 'PnP');
    const expected = agreement(those.map(({ score, mos }) => ({ predicted: score ?? 0, mos })));
    expect(found.methods['PnP']).toMatchObject({
      rows: those.length,
      metrics: {
        main_score: { value: expected.mainScore },
        srcc: { value: expected.srcc },
        plcc_fit: { value: expected.plccFit },
      },
    });
  });

  it('counts orderings within a source: a perfect critic has all, one that says the same always half', () => {
    const perfect = whole(rows.map((row) => ({ ...row, score: row.mos }))).within_source;
    expect(perfect).toEqual({ sources: 30, pairs: 180, agreement: { value: 1, interval: [1, 1] } });
    const blind = whole(rows.map((row) => ({ ...row, score: 3 }))).within_source;
    expect(blind?.agreement.value).toBe(0.5);
    const reversed = whole(rows.map((row) => ({ ...row, score: 6 - row.mos }))).within_source;
    expect(reversed?.agreement.value).toBe(0);
  });

  it('puts the smallest of very many methods together, and says nothing of no rows', () => {
    const many = whole(rows.map((row, index) => ({ ...row, method: `m${index}` })));
    expect(Object.keys(many.methods)).toHaveLength(50);
    expect(many.methods['(others)']?.rows).toBe(71);
    expect(whole([])).toEqual({ resamples: 200, dimensions: {}, methods: {}, within_source: null });
  });

  it('is the same when it is made again', () => {
    expect(JSON.stringify(whole(rows))).toBe(JSON.stringify(found));
  });
});

it('refuses agreement where less than half of the answers can be read', () => {
  const reward = { shape: 'l1', format_weight: 1, floor: 0.05 } as const;
  const items = (readable: number) =>
    Array.from({ length: 10 }, (_, index) => ({ greedy: judgeText(index < readable ? '3.0' : 'none', 1, 3, reward) }));
  expect(refusalOf(items(5))).toBeUndefined();
  expect(refusalOf(items(4))).toBe('only 4 of 10 answers can be read: agreement with people needs 50 %');
});
