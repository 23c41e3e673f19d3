/** How wrong input is said. */
import { describe, expect, it } from 'vitest';
import { describeFault, describeFaults, InputError } from '../../domain/errors.ts';

const epochs = 'recipe.sft.epochs';
const expected = 'a number between 0 and 100';

describe('describeFault', () => {
  it.each<[string, unknown, string]>([
    ['a text is quoted', 'five', 'got "five"'],
    ['an absent value is nothing', undefined, 'got nothing'],
    ['null is null', null, 'got null'],
    ['NaN is not shown as null', Number.NaN, 'got NaN'],
    ['nor is infinity', Infinity, 'got Infinity'],
    ['an object is JSON', { a: [1] }, 'got {"a":[1]}'],
    ['a bigint does not throw', 10n, 'got 10'],
    ['a function does not vanish', () => 1, 'got a function'],
    ['a quote inside stays readable', 'say "five"', String.raw`got "say \"five\""`],
  ])('%s', (_name, value, ending) => {
    expect(describeFault({ field: epochs, value, expected })).toBe(`${epochs}: expected ${expected}, ${ending}`);
  });

  it('a long value is cut at 80 characters', () => {
    const sentence = describeFault({ field: 'x', value: 'y'.repeat(500), expected: 'less' });
    expect(sentence.slice('x: expected less, got '.length)).toHaveLength(78);
    expect(sentence.endsWith('…')).toBe(true);
  });
});

describe('describeFaults', () => {
  it.each<[string, string[], string]>([
    ['one fault', ['a: b'], 'recipe "x": 1 fault\n  a: b'],
    ['two faults', ['a: b', 'c: d'], 'recipe "x": 2 faults\n  a: b\n  c: d'],
    ['more than the limit', ['a', 'b', 'c', 'd'], 'recipe "x": 4 faults\n  a\n  b\n  … and 2 more'],
    ['exactly the limit', ['a', 'b'], 'recipe "x": 2 faults\n  a\n  b'],
  ])('%s', (_name, faults, message) => {
    expect(describeFaults('recipe "x"', faults, 2)).toBe(message);
  });
});

it('an InputError says the fault and keeps its parts', () => {
  const error = new InputError({ field: epochs, value: 'five', expected });
  expect(error.message).toBe('recipe.sft.epochs: expected a number between 0 and 100, got "five"');
  expect(error).toMatchObject({ name: 'InputError', field: epochs, value: 'five', expected });
});
