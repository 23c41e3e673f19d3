/** Token estimates before anything is sent. OpenAI's published tile rule for gpt-4o; text by a rule of thumb. */

/**
 * Tokens of one image for gpt-4o: 85 for `low`; for `high` 85 + 170 per 512-pixel tile after fitting into 2048 x 2048 and
 * bringing the short side down to 768 (OpenAI, "Images and vision"). Sizes in pixels, > 0.
 */
export function imageTokens(width: number, height: number, detail: 'low' | 'high'): number {
  if (detail === 'low') return 85;
  const fit = Math.min(1, 2048 / Math.max(width, height));
  const shrink = Math.min(1, 768 / (Math.min(width, height) * fit));
  // A scaled side of exactly 1024 may come out a hair above it: that is two tiles, not three.
  const tiles = (side: number) => Math.ceil((side * fit * shrink) / 512 - 1e-9);
  return 85 + 170 * tiles(width) * tiles(height);
}

/** About four characters a token in English; rounded up. Used for reserving, never for billing. */
export function textTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Tokens of the JSON schema and the message frames, which the API counts as prompt. An estimate, on the high side. */
export const frameTokens = 120;
