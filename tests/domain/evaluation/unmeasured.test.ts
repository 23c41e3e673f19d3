/** Why agreement with people cannot be measured: each cause is found from the answers themselves. */
import { describe, expect, it } from 'vitest';
import { type JudgedAnswer, measureMainScore, whyNoMainScore } from '../../../domain/evaluation/evaluation.ts';
import { drawsOf, resamplingOf, toEstimate } from '../../../domain/evaluation/resampling.ts';
import { whyUnmeasured } from '../../../domain/evaluation/unmeasured.ts';

const answer = (score: number | null): JudgedAnswer => ({ score, accuracy: 0, format: 1, overall: 1, tokens: 3 });

/** One item for each score, on a source of its own. */
function itemsOf(scores: readonly (number | null)[], mosOf = (index: number) => 1 + (index % 7) / 2) {
  return scores.map((score, index) => {
    return { id: `p${index}`, source: `s${index}`, mos: mosOf(index), greedy: answer(score), sampled: answer(score) };
  });
}

/** The reason for what was really measured of these answers. */
function why(scores: readonly (number | null)[], mosOf?: (index: number) => number): string | undefined {
  const items = itemsOf(scores, mosOf);
  return whyUnmeasured(items, toEstimate(measureMainScore(items, drawsOf(items, resamplingOf(items, 1, 200)))));
}

const varied = Array.from({ length: 20 }, (_, index) => 1 + (index % 5));

describe('why agreement has no value', () => {
  it.each<[string, string, readonly (number | null)[]]>([
    ['one score', 'all its 20 answers give the score 3', varied.map(() => 3)],
    [
      'one score among the readable',
      'all 15 of its 20 answers that can be read give the score 2.75',
      varied.map((_, i) => (i < 5 ? null : 2.75)),
    ],
    ['nothing to read', 'only 0 of 20 answers can be read: agreement with people needs 50 %', varied.map(() => null)],
    ['too few to fit', 'only 4 answers can be read: the logistic fit needs 5', [1, 2, 3, 4]],
    ['no answers', 'there are no answers', []],
  ])('%s', (_, sentence, scores) => {
    expect(why(scores)).toBe(sentence);
  });

  it('people of one opinion', () => {
    expect(why(varied, () => 4)).toBe('people give all 20 pairs the score 4');
  });

  it('too little to resample: there is a value, and no interval', () => {
    expect(why(varied.map((_, index) => (index === 0 ? 5 : 3)))).toBe(
      '19 of its 20 scores are 3: too many resamples have no value',
    );
  });

  it('is nothing where both are there', () => {
    expect(why(varied)).toBeUndefined();
  });
});

it('an evaluation of an earlier release tells as much as it knows', () => {
  const old = {
    schema: 1 as const,
    split: 'test' as const,
    pairs: 9,
    reward: { shape: 'l1' as const, format_weight: 1, floor: 0.05 },
    sampled_temperature: 1,
    resampling: { unit: 'pair' as const, units: 9, resamples: 1000, seed: 1 },
    models: { grpo: { main_score: { value: null, interval: null } } },
    differences: {},
    findings: [],
  };
  expect(whyNoMainScore({ ...old, sameness: { grpo: { score: 1, text: 0.2 } } }, 'grpo')).toBe(
    'all answers that can be read give one and the same score',
  );
  expect(whyNoMainScore({ ...old, sameness: {} }, 'grpo')).toBe('scores or opinions of the 9 pairs do not vary enough');
  const known = { ...old, models: { grpo: { main_score: { value: 0.5, interval: [0.4, 0.6] as [number, number] } } } };
  expect(whyNoMainScore({ ...known, sameness: {} }, 'grpo')).toBeUndefined();
});
