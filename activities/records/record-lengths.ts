/**
 * Record lengths: how many tokens a record will take in LLaMA-Factory, estimated before anything is trained.
 *
 * Text: four characters a token (domain/critique/tokens.ts; English with Qwen's tokenizer has about 4.2). Images: Qwen2.5-VL has one
 * token for 28 x 28 pixels after LLaMA-Factory has scaled the picture into the pixel limits, plus the two marks around it.
 * Chat template with its default system message: 40 tokens. This is an estimate, to refuse records that clearly do not fit. The trainer's own
 * tokenizer decides.
 */
import { join } from 'node:path';
import * as z from 'zod';
import type { Recipe } from '../../domain/recipe.ts';
import { textTokens } from '../../domain/critique/tokens.ts';
import type { ImageSizes } from '../dataset/inspection.ts';
import { readIfPresent } from '../store/durable-file.ts';
import { parseJson } from '../../files/json.ts';
import { refuse } from '../failure.ts';

const templateTokens = 40;
const marksPerImage = 2;
const side = 28;
/** Qwen2-VL's own. */
const usualLimits = { min: 56 * 56, max: 28 * 28 * 1280 };

/** Pictures with fewer pixels are enlarged to the first number, pictures with more are reduced to the second. */
export interface PixelLimits {
  min: number;
  max: number;
}

/** Tokens of all records: the mean, the length that 95 % do not exceed, and the longest. */
export interface LengthStatistics {
  mean: number;
  p95: number;
  longest: number;
}

const pixels = z.number().positive();
const processorSchema = z.looseObject({
  min_pixels: pixels.nullish(),
  max_pixels: pixels.nullish(),
  size: z.looseObject({ shortest_edge: pixels.nullish(), longest_edge: pixels.nullish() }).nullish(),
});

/**
 * The limits that SFT will have: those of the base model's image processor (trainer/critic_trainer/model_folder.py reads the same), unless the
 * recipe's further LLaMA-Factory keys set others. `ConfigInvalid` if the model's file cannot be read.
 */
export async function readPixelLimits({ base_model: model, sft }: Recipe): Promise<PixelLimits> {
  const file = join(model, 'preprocessor_config.json');
  const text = await readIfPresent(file);
  const processor = processorSchema.safeParse(text === undefined ? {} : parseJson(text));
  if (!processor.success) {
    const message = `recipe.base_model: expected an image processor's settings in "${file}", got something else`;
    throw refuse('ConfigInvalid', message);
  }
  const { min_pixels: min, max_pixels: max, size } = processor.data;
  const set = (name: string) => pixels.safeParse(Number(sft === 'none' ? undefined : sft.llamafactory[name])).data;
  return {
    min: set('image_min_pixels') ?? min ?? size?.shortest_edge ?? usualLimits.min,
    max: set('image_max_pixels') ?? max ?? size?.longest_edge ?? usualLimits.max,
  };
}

export class RecordLengths {
  readonly #sizes: ImageSizes;
  readonly #limits: PixelLimits;

  constructor(sizes: ImageSizes, limits: PixelLimits) {
    this.#sizes = sizes;
    this.#limits = limits;
  }

  estimate(record: { messages: readonly { content: string }[]; images: readonly string[] }): number {
    const texts = record.messages.map(({ content }) => textTokens(content.replaceAll('<image>', '')));
    const images = record.images.map((path) => this.#image(path));
    return [...texts, ...images].reduce((sum, tokens) => sum + tokens, templateTokens);
  }

  #image(path: string): number {
    const size = this.#sizes[path];
    if (size === undefined) throw new Error(`image "${path}" is in no list of the dataset artifact`);
    return qwenImageTokens(size[0], size[1], this.#limits) + marksPerImage;
  }
}

/** Tokens of one picture in Qwen2.5-VL: its sides are scaled into the limits and rounded to multiples of 28, and each square is one token. */
export function qwenImageTokens(width: number, height: number, { min, max }: PixelLimits): number {
  const area = width * height;
  const scale = Math.sqrt(Math.max(min, Math.min(max, area)) / area);
  const squares = (length: number) => Math.max(1, Math.round((length * scale) / side));
  return squares(width) * squares(height);
}

/** All 0 without records. */
export function lengthStatistics(tokens: readonly number[]): LengthStatistics {
  const sorted = tokens.toSorted((a, b) => a - b);
  const total = sorted.reduce((sum, one) => sum + one, 0);
  return {
    mean: Math.round(total / Math.max(1, sorted.length)),
    p95: sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0,
    longest: sorted.at(-1) ?? 0,
  };
}
