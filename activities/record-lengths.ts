/**
 * Record lengths: how many tokens a record will take in LLaMA-Factory, estimated before anything is trained.
 *
 * Text: four characters a token (domain/tokens.ts; English with Qwen's tokenizer has about 4.2). Images: Qwen2.5-VL has one
 * token for 28 x 28 pixels after LLaMA-Factory has scaled the picture to at most `image_max_pixels` (default 768²), plus
 * the two marks around it. Chat template with its default system message: 40 tokens. An estimate, for refusing gross
 * misfits; the trainer's own tokenizer has the last word.
 */
import { textTokens } from '../domain/tokens.ts';
import type { ImageSizes } from './dataset-inspection.ts';

const templateTokens = 40;
const marksPerImage = 2;
const side = 28;
const defaultMaxPixels = 768 * 768;

export class RecordLengths {
  readonly #sizes: ImageSizes;
  readonly #maxPixels: number;

  /** `settings`: the recipe's further LLaMA-Factory keys; only `image_max_pixels` matters here. */
  constructor(sizes: ImageSizes, settings: Record<string, string | number | boolean>) {
    this.#sizes = sizes;
    const maxPixels = Number(settings['image_max_pixels'] ?? defaultMaxPixels);
    this.#maxPixels = Number.isFinite(maxPixels) && maxPixels > 0 ? maxPixels : defaultMaxPixels;
  }

  estimate(record: { messages: readonly { content: string }[]; images: readonly string[] }): number {
    const texts = record.messages.map(({ content }) => textTokens(content.replaceAll('<image>', '')));
    const images = record.images.map((path) => this.#image(path));
    return [...texts, ...images].reduce((sum, tokens) => sum + tokens, templateTokens);
  }

  #image(path: string): number {
    const size = this.#sizes[path];
    if (size === undefined) throw new Error(`image "${path}" is in no list of the dataset artifact`);
    return qwenImageTokens(size[0], size[1], this.#maxPixels) + marksPerImage;
  }
}

/** Tokens of one picture in Qwen2.5-VL: sides scaled to fit `maxPixels`, rounded to multiples of 28, one token a square. */
export function qwenImageTokens(width: number, height: number, maxPixels: number): number {
  const scale = Math.min(1, Math.sqrt(maxPixels / (width * height)));
  const squares = (length: number) => Math.max(1, Math.round((length * scale) / side));
  return squares(width) * squares(height);
}
