/** Token estimates against OpenAI's published examples ("Images and vision", cost calculation for gpt-4o). */
import { expect, it } from 'vitest';
import { imageTokens, textTokens } from '../../domain/tokens.ts';

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
  expect(imageTokens(width, height, detail)).toBe(tokens);
});

it('no scaled side costs a tile more by rounding', () => {
  for (let factor = 1; factor <= 40; factor += 1) {
    expect(imageTokens(768 * factor, 1024 * factor, 'high')).toBe(765);
  }
});

it.each([
  ['', 0],
  ['abc', 1],
  ['abcd', 1],
  ['abcde', 2],
])('text of %j is %i tokens', (text, tokens) => {
  expect(textTokens(text)).toBe(tokens);
});
