/** What the numbers and answers of a GRPO training say while it runs. */
import { describe, expect, it } from 'vitest';
import { judgeRunning } from '../../../domain/health/running.ts';
import type { MetricsRow, SampledStep } from '../../../domain/manifest.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

type Columns = Record<string, (step: number) => number>;

/** Rows of `count` steps, each column with noise of a hundredth of its size. */
function rowsOf(count: number, columns: Columns): MetricsRow[] {
  const random = seededRandom(3);
  return Array.from({ length: count }, (_, index) => {
    const values = Object.entries(columns).map(([name, value]) => [name, value(index + 1) * (0.99 + 0.02 * random())]);
    return { step: index + 1, ...Object.fromEntries(values) };
  });
}

/** Goes from one level to another at step 20. */
const turn = (from: number, to: number) => (step: number) => (step < 20 ? from : to);
const level = (value: number) => () => value;
const things = ['cup', 'bird', 'house', 'tree', 'boat', 'road', 'lamp', 'chair'];

/** Eight answers a step to pairs of different MOS, whose score and words follow from the MOS. */
function answersOf(
  count: number,
  answer: (mos: number, step: number, index: number) => { score: number; think: string },
): SampledStep[] {
  const random = seededRandom(5);
  return Array.from({ length: count }, (_, step) => ({
    step: step + 1,
    answers: things.map((_thing, index) => {
      const mos = 1 + Math.floor(random() * 40) / 10;
      const { score, think } = answer(mos, step + 1, index);
      return { mos, text: `<think>${think}</think>\n<answer>${score.toFixed(2)}</answer>` };
    }),
  }));
}

/** A critique of its own for each pair. */
const words = (step: number, index: number) =>
  Array.from({ length: 12 }, (_, at) => things[(step * 7 + index * 3 + at * at * (step + index)) % things.length]).join(
    ' ',
  );
const fair = (mos: number, step: number, index: number) => ({ score: mos, think: words(step, index) });
const kindsOf = (rows: readonly MetricsRow[], answers: readonly SampledStep[] = []) =>
  judgeRunning(rows, answers).signs.map(({ kind }) => kind);

describe('signs while GRPO runs', () => {
  it.each<[string, Columns, string, string]>([
    ['answers that get shorter', { response_length: turn(400, 200) }, 'length', 'answers got shorter, from '],
    ['an entropy that falls', { entropy: turn(1, 0.2) }, 'entropy', 'the entropy fell, from '],
    ['an entropy that grows', { entropy: turn(0.14, 0.2) }, 'entropy', 'the entropy grew, from '],
    ['a gradient norm that grows', { grad_norm: turn(0.1, 0.3) }, 'gradient', 'the gradient norm grew, from '],
    ['an accuracy that falls', { reward_l1: turn(0.6, 0.4) }, 'reward', 'the accuracy reward fell, from '],
    [
      'an accuracy that falls under a perfect form',
      { reward_l1: turn(0.6, 0.4), reward_format: level(1) },
      'reward',
      ', while the form is perfect',
    ],
    [
      'an accuracy that falls on dev alone',
      { reward_l1: level(0.6), validation_reward_l1: turn(0.6, 0.4) },
      'reward',
      'the accuracy reward on dev fell',
    ],
    ['a form that is lost', { reward_format: turn(0.9, 0.3) }, 'format', 'only 30 % of the answers have the form'],
    ['a form that is lost little by little', { reward_format: turn(1, 0.9) }, 'format', 'fewer answers have the form'],
    ['groups of one reward', { reward_std_zero: turn(0.1, 0.9) }, 'reward', '% of the prompts all have one reward'],
    ['rewards that come together', { reward_std: turn(0.4, 0.2) }, 'reward', 'differ less in reward'],
    ['a KL term that grows', { kl: turn(0.01, 0.8) }, 'kl', 'the KL term grew'],
  ])('%s', (_what, columns, kind, sentence) => {
    const { verdict, signs } = judgeRunning(rowsOf(40, columns), []);
    expect(signs).toEqual([{ kind, sentence: expect.stringContaining(sentence) }]);
    expect(verdict).toBe('warning');
    expect(judgeRunning(rowsOf(19, columns), [])).toEqual({ verdict: 'healthy', signs: [] });
  });

  it('a form that is never learnt', () => {
    expect(kindsOf(rowsOf(40, { reward_format: level(0.3) }))).toEqual(['format']);
  });

  it('numbers that are none', () => {
    expect(kindsOf([{ step: 1, non_finite: ['loss'] }])).toEqual(['numbers']);
    const once = rowsOf(11, {}).map((row) => (row.step === 1 ? { ...row, non_finite: ['grad_norm'] } : row));
    expect(kindsOf(once.slice(0, 10))).toEqual(['numbers']);
    expect(kindsOf(once)).toEqual([]); // it went on with finite ones
  });

  it.each<[string, Columns]>([
    ['that stay', { response_length: level(400), entropy: level(0.2), grad_norm: level(0.1), reward_l1: level(0.5) }],
    ['that get better', { response_length: turn(350, 400), reward_l1: turn(0.4, 0.6), reward_std: turn(0.4, 0.2) }],
    ['of a form that is still being learnt', { reward_format: turn(0.02, 0.4) }],
    ['that are 0', { entropy: level(0), grad_norm: level(0), reward_std: level(0) }],
    ['of an engine that logs nothing of these', { loss: turn(1, 9) }],
  ])('are none in numbers %s', (_what, columns) => {
    expect(judgeRunning(rowsOf(60, columns), [])).toEqual({ verdict: 'healthy', signs: [] });
  });

  it('are none in numbers whose steps differ by more than the windows do', () => {
    const noisy = rowsOf(60, { reward_l1: (step) => (step % 2 === 0 ? 0.9 : 0.1) - (step > 20 ? 0.06 : 0) });
    expect(kindsOf(noisy)).toEqual([]);
  });
});

describe('signs in sampled answers', () => {
  it('are none while scores follow people’s and words differ', () => {
    expect(kindsOf([], answersOf(20, fair))).toEqual([]);
  });

  it.each<[string, Parameters<typeof answersOf>[1], string, string]>([
    [
      'one same score',
      (mos, step, index) => ({ ...fair(mos, step, index), score: step < 10 ? mos : 3.4 }),
      'scores',
      '% of the newest answers give one same score',
    ],
    [
      'scores that come together',
      (mos, step, index) => ({ ...fair(mos, step, index), score: step < 10 ? mos : 3 + (mos - 3) / 4 }),
      'scores',
      'the scores differ less and less',
    ],
    [
      'scores of nothing',
      (mos, step, index) => ({
        ...fair(mos, step, index),
        score: step < 10 ? mos : 1 + ((step * 5 + index * 11) % 40) / 10,
      }),
      'scores',
      'the scores follow people’s no more',
    ],
    [
      'a template',
      (mos, step, index) => ({
        ...fair(mos, step, index),
        ...(step < 10 ? {} : { think: `one template of words that all answers have ${things.join(' ')}` }),
      }),
      'text',
      'a template',
    ],
  ])('%s', (_what, answer, kind, sentence) => {
    expect(judgeRunning([], answersOf(20, answer)).signs).toEqual([
      { kind, sentence: expect.stringContaining(sentence) },
    ]);
  });

  it('are none in scores that have followed people’s by chance and do not now', () => {
    const guess = (mos: number, step: number, index: number) => 1 + ((step * 5 + index * 11) % 40) / 10 + mos / 100;
    const chance = answersOf(12, (mos, step, index) => {
      const followed = step < 7 && index % 2 === 0;
      return { ...fair(mos, step, index), score: followed ? mos : guess(mos, step, index) };
    });
    expect(kindsOf([], chance)).toEqual([]);
  });

  it('a reward near its best while scores miss people’s by far', () => {
    const far = answersOf(20, (mos, step, index) => ({
      ...fair(mos, step, index),
      score: mos > 3 ? mos - 0.6 : mos + 0.6,
    }));
    const paid = rowsOf(20, { reward_l1: level(0.95) });
    expect(judgeRunning(paid, far).signs).toEqual([
      { kind: 'scores', sentence: expect.stringContaining('though the newest scores miss people’s by 0.60 points') },
    ]);
    expect(kindsOf(paid.slice(0, 9), far)).toEqual([]); // too few rewards
    expect(kindsOf(rowsOf(20, { reward_l1: level(0.5) }), far)).toEqual([]); // it pays for what they are worth
  });

  it('are one alone where rewards are all alike since the scores are right: such a training has come to its end', () => {
    const near = answersOf(20, (mos, step, index) => ({ ...fair(mos, step, index), score: mos + 0.05 }));
    expect(judgeRunning(rowsOf(20, { reward_l1: level(0.95), reward_std_zero: level(0.9) }), near)).toMatchObject({
      verdict: 'warning',
      signs: [{ kind: 'reward' }],
    });
  });

  it('are none of few answers, or of answers that cannot be read', () => {
    const same = (_mos: number, step: number) => ({ score: step < 2 ? 2 : 3, think: 'one' });
    expect(kindsOf([], answersOf(5, same))).toEqual([]);
    const unreadable = answersOf(20, fair).map((one) => ({
      ...one,
      answers: one.answers.map(({ mos }) => ({ mos, text: 'x' })),
    }));
    expect(kindsOf([], unreadable)).toEqual([]);
  });
});

describe('the verdict', () => {
  it('is sick by two signs of different kinds, not of one', () => {
    const two = rowsOf(40, { response_length: turn(400, 200), entropy: turn(1, 0.2) });
    expect(judgeRunning(two, []).verdict).toBe('sick');
    const answers = answersOf(20, (mos, step, index) => ({ ...fair(mos, step, index), score: step < 10 ? mos : 3 }));
    expect(judgeRunning(rowsOf(40, { entropy: turn(1, 0.2) }), answers).verdict).toBe('sick');
    const one = rowsOf(40, { reward_l1: turn(0.6, 0.4), reward_std: turn(0.4, 0.2) });
    expect(judgeRunning(one, [])).toMatchObject({
      verdict: 'warning',
      signs: [{ kind: 'reward' }, { kind: 'reward' }],
    });
  });
});
