/** How wrong input is said. */
import { describe, expect, it } from 'vitest';
import { describeFault, describeFaults, InputError, shown } from '../../domain/errors.ts';

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

  it('a long value and a long field are cut at 200 characters', () => {
    const sentence = describeFault({ field: 'x'.repeat(500), value: 'y'.repeat(500), expected: 'less' });
    const [field = '', value = ''] = sentence.split(': expected less, got ');
    expect([field.length, value.length]).toEqual([200, 200]);
    expect([field, value].every((text) => text.endsWith('…'))).toBe(true);
  });

  it('a value that holds itself, is nested ten thousand deep or has a million entries is shown in a moment', () => {
    const circle: Record<string, unknown> = { a: 1 };
    circle['self'] = circle;
    let deep: unknown = 1;
    for (let level = 0; level < 10_000; level += 1) deep = [deep];
    expect(shown(circle)).toBe('{"a":1,"self":{"a":1,"self":{"a":1,"self":{…}}}}');
    expect(shown(deep)).toBe('[[[[…]]]]');
    expect(shown(Array.from({ length: 1_000_000 }, () => 1))).toBe(`[${'1,'.repeat(20)}…]`);
    expect(shown([Number.NaN, null, undefined])).toBe('[NaN,null,nothing]');
    expect(shown(Buffer.alloc(1_000_000))).toBe('1000000 bytes');
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
