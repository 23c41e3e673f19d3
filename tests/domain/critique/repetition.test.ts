/** Repetition among critiques: MinHash against known shares of shingles, and openings. */
import { describe, expect, it } from 'vitest';
import { commonestOpening, nearDuplicates, signature, similarity } from '../../../domain/critique/repetition.ts';

describe('near-duplicates', () => {
  const text = [
    'The bus has become blue from end to end, which is what the instruction asked for.',
    'The street, the people and the sky are as they were in the source image.',
    'There is a faint halo around the windows, and the paint has lost some of its reflections.',
    'A convincing edit with small flaws that only show at a second look.',
  ].join(' ');
  const other =
    'A lamp was put on the desk, yet its shadow falls towards the window and the wood under it has lost its grain.';

  it('equal texts are 1, unrelated texts 0', () => {
    expect(similarity(signature(text), signature(text))).toBe(1);
    expect(similarity(signature(text), signature(other))).toBe(0);
  });

  it('the estimate is near the share of common shingles', () => {
    const words = Array.from({ length: 80 }, (_, i) => 'abcdefgh'.charAt(i % 8).repeat(i + 1));
    const [part, whole] = [words.slice(0, 60).join(' '), words.join(' ')];
    // 60 shingles and 80, of which the two at the part's end are its own.
    expect(Math.abs(similarity(signature(part), signature(whole)) - 58 / 82)).toBeLessThan(0.15);
  });

  it.each<[string, string[], string[]]>([
    ['nothing to compare', [], []],
    ['different texts', [text, other], []],
    ['the later one of two equal texts goes', [text, other, text], ['2']],
    ['all but the first of many', [text, text, text], ['1', '2']],
    ['upper case and punctuation do not matter', [text, text.toUpperCase().replaceAll('.', '!')], ['1']],
    ['one word more is a near-duplicate', [text, `${text} Indeed.`], ['1']],
    ['half a text is none', [text, text.slice(0, text.length / 2)], []],
  ])('%s', (_name, texts, expected) => {
    const given = texts.map((one, i) => ({ id: String(i), text: one }));
    expect(nearDuplicates(given, 0.9)).toEqual(expected);
  });
});

describe('the commonest opening', () => {
  it.each<[string, string[], ReturnType<typeof commonestOpening>]>([
    ['of nothing is none', [], undefined],
    ['is the first one where all differ', ['a b c d e f', 'x y'], { words: 'a b c d e', count: 1, share: 0.5 }],
    [
      'is of five words, whatever their case, marks and what follows',
      ['The edit, indeed, does this well.', 'No.', 'the edit indeed does this badly', 'Yes.'],
      { words: 'the edit indeed does this', count: 2, share: 0.5 },
    ],
  ])('%s', (_name, texts, expected) => {
    expect(commonestOpening(texts)).toEqual(expected);
  });
});
