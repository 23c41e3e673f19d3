/** Token estimates against OpenAI's published examples ("Images and vision", cost calculation for gpt-4o). */
import { expect, it } from 'vitest';
import { fittedSize, imageTokens, textTokens } from '../../../domain/critique/tokens.ts';

it.each<[string, number, number, 'low' | 'high', number]>([
  ['OpenAI: 1024 x 1024 is four tiles', 1024, 1024, 'high', 765],
  ['OpenAI: 2048 x 4096 is six tiles', 2048, 4096, 'high', 1105],
  ['OpenAI: 4096 x 8192 in low detail is 85', 4096, 8192, 'low', 85],
  ['a small image is one tile and is not enlarged', 64, 64, 'high', 255],
  ['512 x 512 is exactly one tile', 512, 512, 'high', 255],
  ['one pixel more on a side is another tile', 513, 512, 'high', 425],
  ['3000 x 4000 scales to exactly 768 x 1024: four tiles, not six', 3000, 4000, 'high', 765],
  ['a panorama keeps its long side within 2048', 8192, 512, 'high', 85 + 170 * 4],
  ['either orientation costs the same', 4096, 2048, 'high', 1105],
])('%s', (_name, width, height, detail, tokens) => {
  expect(imageTokens({ width, height }, detail)).toBe(tokens);
});

it('no scaled side costs a tile more by rounding', () => {
  for (let factor = 1; factor <= 40; factor += 1) {
    expect(imageTokens({ width: 768 * factor, height: 1024 * factor }, 'high')).toBe(765);
  }
});

it.each<[string, [number, number], 'low' | 'high', [number, number]]>([
  ['fits the short side into 768', [1024, 1024], 'high', [768, 768]],
  ['fits the long side into 2048 first', [4096, 1024], 'high', [2048, 512]],
  ['rounds to whole pixels', [1000, 1333], 'high', [768, 1024]],
  ['leaves what is small enough', [768, 2048], 'high', [768, 2048]],
  ['enlarges nothing', [10, 20], 'low', [10, 20]],
  ['fits into 512 in low detail', [1024, 768], 'low', [512, 384]],
  ['keeps a pixel of a line', [100_000, 1], 'high', [2048, 1]],
])('the fitted size %s', (_name, [width, height], detail, [w, h]) => {
  expect(fittedSize({ width, height }, detail)).toEqual({ width: w, height: h });
});

it.each([
  ['', 0],
  ['abc', 1],
  ['abcd', 1],
  ['abcde', 2],
])('text of %j is %i tokens', (text, tokens) => {
  expect(textTokens(text)).toBe(tokens);
});
