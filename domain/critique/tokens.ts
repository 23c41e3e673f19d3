/** Token estimates before anything is sent: OpenAI's published tile rule for gpt-4o, and a rule of thumb for text. */

export interface Size {
  /** Pixels, whole and > 0. */
  width: number;
  height: number;
}

/**
 * The size in which gpt-4o sees an image (OpenAI, "Images and vision"): `high` fits it into 2048 x 2048 and then brings the
 * short side down to 768. `low` fits it into 512 x 512. Nothing is enlarged. Sides are rounded to whole pixels.
 */
export function fittedSize({ width, height }: Size, detail: 'low' | 'high'): Size {
  const fit = Math.min(1, (detail === 'low' ? 512 : 2048) / Math.max(width, height));
  const shrink = detail === 'low' ? 1 : Math.min(1, 768 / (Math.min(width, height) * fit));
  const fitted = (side: number) => Math.max(1, Math.round(side * fit * shrink));
  return { width: fitted(width), height: fitted(height) };
}

/** Tokens of one image for gpt-4o: 85 for `low`; for `high` 85 + 170 for each 512-pixel tile of its fitted size. */
export function imageTokens(size: Size, detail: 'low' | 'high'): number {
  if (detail === 'low') return 85;
  const { width, height } = fittedSize(size, detail);
  return 85 + 170 * Math.ceil(width / 512) * Math.ceil(height / 512);
}

/** About four characters a token in English, rounded up. It is used to reserve, never to bill. */
export function textTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Tokens of the JSON schema and the message frames, which the API counts as prompt. A high estimate. */
export const frameTokens = 120;
