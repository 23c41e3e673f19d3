/** Which critiques are learnt from. Sentences of our own; the published critiques are judged outside the repository. */
import { describe, expect, it } from 'vitest';
import {
  type FilterVerdict,
  judgeCritique,
  nearDuplicates,
  signature,
  similarity,
} from '../../domain/critique-filter.ts';
import type { Critique } from '../../domain/prompt.ts';

const critique: Critique = {
  alignment: 'The bus has become blue from end to end, which is what the instruction asked for.',
  fidelity: 'The street, the people and the sky are as they were in the source image.',
  quality: 'There is a faint halo around the windows, and the paint has lost some of its reflections.',
  overall: 'A convincing edit with small flaws that only show at a second look.',
};
const limits = { minWords: 20, maxWords: 200 };

function judge(change: Partial<Critique>, mos = 3.5): FilterVerdict {
  return judgeCritique({ ...critique, ...change }, mos, limits);
}

describe('judgeCritique keeps', () => {
  it.each<[string, Partial<Critique>]>([
    ['a plain critique', {}],
    [
      'the word score, which critics use',
      { overall: 'The halo is the main reason for the moderate score in quality.' },
    ],
    ['a number written as a word', { fidelity: 'All three people are as they were, and so is the one dog.' }],
    ['2D and 3D', { quality: 'The 2D style of the drawing is kept, and the 3D shading of the bus with it.' }],
    ['3-D', { quality: 'The 3-D shading of the bus is as soft as in the source.' }],
    ['the 1920s', { alignment: 'The bus now looks as if it were from the 1920s, as the instruction asks.' }],
    [
      'a comparison that is no refusal',
      { overall: 'It is sorry work in the corners but fine in the middle of the image.' },
    ],
    ['accents in names', { alignment: 'The café is now in the style of Matisse and Gauguin, as was asked for.' }],
  ])('%s', (_name, change) => {
    expect(judge(change)).toEqual({ accepted: true, tone: 'agrees' });
  });
});

describe('judgeCritique drops', () => {
  it.each<[string, Partial<Critique>, string]>([
    ['a refusal', { overall: "I'm sorry, but I cannot judge this image." }, 'refusal'],
    ['a refusal with a curly apostrophe', { overall: 'I’m sorry, I can’t help with that.' }, 'refusal'],
    ['a refusal in the third person', { overall: 'As an AI, this cannot be seen by me.' }, 'refusal'],
    ['an empty part', { fidelity: '' }, 'empty-part'],
    ['a part of blanks', { quality: ' \n ' }, 'empty-part'],
    ['a quoted score', { overall: 'All in all this is a 3.5 edit.' }, 'quotes-score'],
    ['a quoted score at the end', { overall: 'All in all I would give it a 4.' }, 'quotes-score'],
    ['a range', { overall: 'All in all between 3-4 at best.' }, 'quotes-score'],
    ['a share of five', { overall: 'That makes it four out of five for me.' }, 'quotes-score'],
    ['a score in words', { overall: 'This deserves a score of four at the least.' }, 'quotes-score'],
    [
      'talk of scores that were provided',
      { overall: 'It is good, as reflected in the provided scores.' },
      'quotes-score',
    ],
    ['talk of ratings that were given', { overall: 'It is consistent with the ratings given for it.' }, 'quotes-score'],
    ['talk of raters', { overall: 'It is what human raters would expect of it.' }, 'quotes-score'],
    [
      'French',
      {
        alignment: "Le bus est devenu bleu, ce qui correspond bien à l'instruction donnée.",
        fidelity: 'La rue et le ciel sont restés comme avant dans la scène entière.',
        quality: 'Un léger halo entoure les fenêtres du bus bleu et rien de plus.',
        overall: 'Une modification convaincante avec de petits défauts.',
      },
      'not-english',
    ],
    ['Chinese', { alignment: '公交车变成了蓝色'.repeat(12) }, 'not-english'],
    [
      'a list of tags',
      { overall: 'blue bus street people sky halo window paint wheel road lamp sign door '.repeat(11) },
      'not-english',
    ],
  ])('%s', (_name, change, reason) => {
    expect(judge(change)).toEqual({ accepted: false, reason });
  });

  it('what is too short or too long, ends of the range included in it', () => {
    const words = Object.values(critique).join(' ').split(/\s+/).length;
    const at = (minWords: number, maxWords: number) => judgeCritique(critique, 3.5, { minWords, maxWords });
    expect(at(words, words)).toMatchObject({ accepted: true });
    expect(at(words + 1, 500)).toEqual({ accepted: false, reason: 'too-short' });
    expect(at(1, words - 1)).toEqual({ accepted: false, reason: 'too-long' });
  });
});

describe('a tone that contradicts the score is reported and kept', () => {
  const praise = { quality: 'It is excellent, clean and sharp, and the light is good.' };
  const blame = { quality: 'It is poor, blurred and broken, and the light is wrong.' };
  it.each([
    ['praise of a poor edit', praise, 1.5, 'contradicts'],
    ['blame of an excellent edit', blame, 4.5, 'contradicts'],
    ['praise of an excellent edit', praise, 4.5, 'agrees'],
    ['blame of a poor edit', blame, 1.5, 'agrees'],
    ['anything about a middling edit', blame, 3, 'agrees'],
  ])('%s', (_name, change, mos, tone) => {
    expect(judge(change, mos)).toEqual({ accepted: true, tone });
  });
});

describe('near-duplicates', () => {
  const text = Object.values(critique).join(' ');
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
