/** Reading answers: what counts as a score, what does not, and what was thought before it. */
import { describe, expect, it } from 'vitest';
import { type Answer, hasFormat, parseAnswer } from '../../../domain/critique/score.ts';

const scored = (score: number, think = ''): Answer => ({ kind: 'scored', score, think });
const unreadable = (reason: Extract<Answer, { kind: 'unreadable' }>['reason']): Answer => ({
  kind: 'unreadable',
  reason,
});

describe('parseAnswer', () => {
  const rows: [string, string, Answer][] = [
    ['an answer in tags, with its thought', '<think> sharp </think>\n<answer>3.42</answer>', scored(3.42, 'sharp')],
    ['a bare number', '2.71', scored(2.71)],
    ['a bare number with blanks around', '  4\n', scored(4)],
    ['the ends of the scale count', '<answer>1</answer>', scored(1)],
    ['the other end too', '<answer>5.00</answer>', scored(5)],
    ['the first answer counts', '<answer>2</answer><answer>4</answer>', scored(2)],
    ['a thought whose opening tag was a prefill', ' sharp edges</think><answer>3</answer>', scored(3, 'sharp edges')],
    ['a thought over several lines', '<think>a\nb</think><answer>3</answer>', scored(3, 'a\nb')],
    ['a carriage return is a blank, as in Python', '<answer>3\r</answer>', scored(3)],
    ['nothing', '', unreadable('no-number')],
    ['words', '<answer>good</answer>', unreadable('no-number')],
    ['a unit after the number', '<answer>3/5</answer>', unreadable('no-number')],
    ['a number hidden by a line break in the tags', '<answer>\n3</answer>', unreadable('no-number')],
    ['an unclosed answer', '<answer>3', unreadable('no-number')],
    ['hexadecimal', '0x3', unreadable('no-number')],
    ['NaN', '<answer>NaN</answer>', unreadable('not-finite')],
    ['minus infinity', '<answer>-inf</answer>', unreadable('not-finite')],
    ['too large to be a double', '<answer>1e999</answer>', unreadable('not-finite')],
    ['below the scale', '<answer>0.99</answer>', unreadable('out-of-range')],
    ['above the scale', '<answer>5.01</answer>', unreadable('out-of-range')],
    [
      'the first answer counts, even if only the second is readable',
      '<answer>x</answer><answer>3</answer>',
      unreadable('no-number'),
    ],
  ];
  it.each(rows)('%s', (_name, text, expected) => {
    expect(parseAnswer(text)).toEqual(expected);
  });
});

describe('hasFormat', () => {
  it.each([
    ['thought and answer', '<think>a</think><answer>3</answer>', true],
    ['blank lines between them', '<think>a\n\nb</think>\n \n<answer>3</answer>', true],
    ['even when both are empty', '<think></think><answer></answer>', true],
    ['whatever the answer says', '<think>a</think><answer>good\nenough</answer>', true],
    ['a line break at the end breaks it', '<think>a</think><answer>3</answer>\n', false],
    ['a word in front breaks it', 'So <think>a</think><answer>3</answer>', false],
    ['a word between breaks it', '<think>a</think> so <answer>3</answer>', false],
    ['an answer alone is none', '<answer>3</answer>', false],
    ['the wrong order is none', '<answer>3</answer><think>a</think>', false],
    ['nothing is none', '', false],
  ])('%s', (_name, text, expected) => {
    expect(hasFormat(text)).toBe(expected);
  });
});
