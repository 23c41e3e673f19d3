/**
 * Record lengths: how many tokens a record will take in LLaMA-Factory, estimated before anything is trained.
 *
 * Text: four characters a token (domain/tokens.ts; English with Qwen's tokenizer has about 4.2). Images: Qwen2.5-VL has one
 * token for 28 x 28 pixels after LLaMA-Factory has scaled the picture to at most `image_max_pixels` (default 768²), plus
 * the two marks around it. Chat template with its default system message: 40 tokens. An estimate, for refusing gross
 * misfits; the trainer's own tokenizer has the last word.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textTokens } from '../domain/tokens.ts';
import { readImage } from './image-header.ts';

const templateTokens = 40;
const marksPerImage = 2;
const side = 28;
const defaultMaxPixels = 768 * 768;

export class RecordLengths {
  readonly #folder: string;
  readonly #maxPixels: number;
  readonly #images = new Map<string, number>();

  /** `settings`: the recipe's further LLaMA-Factory keys; only `image_max_pixels` matters here. */
  constructor(datasetFolder: string, settings: Record<string, string | number | boolean>) {
    this.#folder = datasetFolder;
    const maxPixels = Number(settings['image_max_pixels'] ?? defaultMaxPixels);
    this.#maxPixels = Number.isFinite(maxPixels) && maxPixels > 0 ? maxPixels : defaultMaxPixels;
  }

  async estimate(record: { messages: readonly { content: string }[]; images: readonly string[] }): Promise<number> {
    let tokens = templateTokens;
    for (const { content } of record.messages) tokens += textTokens(content.replaceAll('<image>', ''));
    for (const path of record.images) tokens += await this.#image(path);
    return tokens;
  }

  async #image(path: string): Promise<number> {
    const known = this.#images.get(path);
    if (known !== undefined) return known;
    const facts = readImage(await readFile(join(this.#folder, path)));
    if ('fault' in facts) throw new Error(`image "${path}" of the dataset artifact is damaged: ${facts.fault}`);
    const tokens = qwenImageTokens(facts.width, facts.height, this.#maxPixels) + marksPerImage;
    this.#images.set(path, tokens);
    return tokens;
  }
}

/** Tokens of one picture in Qwen2.5-VL: sides scaled to fit `maxPixels`, rounded to multiples of 28, one token a square. */
export function qwenImageTokens(width: number, height: number, maxPixels: number): number {
  const scale = Math.min(1, Math.sqrt(maxPixels / (width * height)));
  const squares = (length: number) => Math.max(1, Math.round((length * scale) / side));
  return squares(width) * squares(height);
}
