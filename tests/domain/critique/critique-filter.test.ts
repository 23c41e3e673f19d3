/** Which critiques are learnt from. Sentences of our own; the published critiques are judged outside the repository. */
import { describe, expect, it } from 'vitest';
import { type FilterVerdict, judgeCritique, namedFirst } from '../../../domain/critique/critique-filter.ts';
import type { Critique } from '../../../domain/critique/prompt.ts';

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
    ['parts that open by naming their own aspect', { fidelity: `In terms of **fidelity**, ${critique.fidelity}` }],
    ['an overall part that opens with any aspect', { overall: `The quality convinces. ${critique.overall}` }],
    ['another aspect named later on', { fidelity: `${critique.fidelity} The quality is another matter.` }],
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
    ['fidelity told first', { alignment: `Fidelity is good here. ${critique.alignment}` }, 'wrong-order'],
    [
      'parts that are shifted by one',
      { fidelity: `Regarding text alignment, ${critique.alignment}`, quality: critique.fidelity },
      'wrong-order',
    ],
    ['a verdict on quality first', { alignment: `The overall quality is high. ${critique.quality}` }, 'wrong-order'],
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
    ['an appeal to a score', { overall: 'It is good, as indicated by the overall rating.' }, 'quotes-score'],
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

describe('the aspect that a text opens by naming', () => {
  it.each([
    ['In terms of fidelity, much is kept.', 'fidelity'],
    ['The overall perceptual quality of the image is good.', 'quality'],
    ['**Text alignment**: as asked.', 'alignment'],
    ['From a quality perspective, it holds.', 'quality'],
    ['Overall, the fidelity is good.', 'fidelity'],
    ['The edit aligns with the instruction.', undefined],
    ['The bus has a quality of its own.', undefined],
    ['', undefined],
  ])('%j: %s', (text, aspect) => {
    expect(namedFirst(text)).toBe(aspect);
  });
});
