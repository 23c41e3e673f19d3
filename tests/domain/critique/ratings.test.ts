import { expect, it } from 'vitest';
import { type Ratings, statedRatings } from '../../../domain/critique/ratings.ts';

it.each<[string, Ratings]>([
  [
    'Overall: alignment bad, fidelity poor, quality excellent, so a fair result.',
    { alignment: 1, fidelity: 2, quality: 5 },
  ],
  ['Text Alignment: 3.5/5. Fidelity is 4, quality score of 2.25.', { alignment: 3.5, fidelity: 4, quality: 2.25 }],
  ['alignment rating:\n  good', { alignment: 4 }],
  // The last of several counts: critiques end with their sum.
  ['Alignment: good at first sight. In the end alignment poor.', { alignment: 2 }],
  // Said of another thing, not right after the name, negated, or no rating.
  ['The overall quality is good.', {}],
  ['Alignment: the square is not good. Fidelity was hardly fair. Quality not bad.', {}],
  ['alignment 10, fidelity 0, quality 80%', {}],
  ['alignment 3.5.1, fidelity 3%, quality 45', {}],
  ['alignment badly done, misalignment good', {}],
  // Of another scale, or a count of something.
  ['alignment 4/10, fidelity: 4 out of 10, quality 3.5/10', {}],
  ['fidelity of 3 objects is lost', {}],
  ['Alignment 3/5. Fidelity: 2 out of 5, quality 4.5 / 5.0 at most', { alignment: 3, fidelity: 2, quality: 4.5 }],
  ['', {}],
])('%s', (critique, expected) => {
  expect(statedRatings(critique)).toEqual(expected);
});

it('takes a long text in no time', () => {
  const started = performance.now();
  statedRatings(`quality ${' '.repeat(200_000)}${'quality score '.repeat(50_000)}`);
  expect(performance.now() - started).toBeLessThan(2000);
});
