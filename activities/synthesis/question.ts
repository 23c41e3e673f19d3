/**
 * Synthesis question: one row's request without its pictures, with what it is expected to take. Pictures are read when the request may
 * be sent, so only those in flight are in memory. Asking one by one and asking in batches share this.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { cost } from '../../domain/estimate/budget.ts';
import type { RequestTokens } from '../../domain/estimate/estimate.ts';
import type { Pair } from '../../domain/manifest.ts';
import { shownImages, teacherPrompt } from '../../domain/critique/prompt.ts';
import type { SynthesisSettings } from '../../domain/recipe.ts';
import { textHash } from '../../domain/evaluation/seeded-random.ts';
import { fittedSize, frameTokens, imageTokens, type Size, textTokens } from '../../domain/critique/tokens.ts';
import { readRegularFile } from '../../files/regular-file.ts';
import type { TeacherQuestion } from '../teacher/completion-body.ts';
import { maxImageBytes } from '../dataset/image-files.ts';
import type { ImageSizes } from '../dataset/inspection.ts';
import { type Image, readImage, smallerJpeg } from '../dataset/image.ts';

export interface QuestionSource {
  settings: SynthesisSettings;
  /** Folder of the dataset artifact, and the sizes of its images. */
  datasetPath: string;
  sizes: ImageSizes;
  /** Names the teacher and the prompt. It is part of each request's key. */
  answersKey: string;
}

export interface Picture {
  /** Below the dataset artifact. */
  path: string;
  /** Its size as it is stored, and as the teacher sees it. */
  size: Size;
  fitted: Size;
}

/** A request without its pictures, the most that it is expected to take, and its name in the log. */
export interface Prepared {
  question: TeacherQuestion;
  /** Source first. */
  pictures: Picture[];
  /** Prompt and `max_tokens`, as the server will count them. */
  tokens: number;
  usd: number;
  base: { id: string; try: number; request: string };
}

/** The row's `tryNumber`-th request (from 1). The same row and try give the same request, in any process. */
export function prepareQuestion(source: QuestionSource, pair: Pair, tryNumber: number): Prepared {
  const { settings, answersKey, sizes } = source;
  const request = createHash('sha256').update(`${answersKey}/${pair.id}/${tryNumber}`).digest('hex').slice(0, 32);
  const { text, images } = requestTokens(settings, pair, sizes);
  const input = text + images;
  const output = settings.max_tokens;
  return {
    question: {
      ...teacherPrompt(settings.prompt, pair),
      model: settings.model,
      detail: settings.detail,
      temperature: settings.temperature,
      maxTokens: output,
      seed: textHash(`${pair.id}/${tryNumber}`) >>> 1,
      timeoutMs: settings.request_timeout_seconds * 1000,
      requestKey: request,
    },
    pictures: picturesOf(settings, pair, sizes),
    tokens: input + output,
    usd: cost({ input, cachedInput: 0, output }, settings.prices),
    base: { id: pair.id, try: tryNumber, request },
  };
}

/** Prompt tokens of one request about this pair, estimated. */
export function requestTokens(
  settings: Pick<SynthesisSettings, 'prompt' | 'detail'>,
  pair: Pair,
  sizes: ImageSizes,
): RequestTokens {
  const { system, user } = teacherPrompt(settings.prompt, pair);
  const images = picturesOf(settings, pair, sizes).map(({ size }) => imageTokens(size, settings.detail));
  return { text: frameTokens + textTokens(system + user), images: images.reduce((sum, one) => sum + one, 0) };
}

function picturesOf(
  { prompt, detail }: Pick<SynthesisSettings, 'prompt' | 'detail'>,
  pair: Pair,
  sizes: ImageSizes,
): Picture[] {
  return shownImages(prompt, pair).map((path) => {
    const sides = sizes[path];
    if (sides === undefined) throw new Error(`images.json of the dataset artifact lacks "${path}"`);
    const size = { width: sides[0], height: sides[1] };
    return { path, size, fitted: fittedSize(size, detail) };
  });
}

/**
 * The pictures, in order. A picture that is larger than the teacher sees is scaled down here: so no bytes are sent for nothing, and the
 * teacher does not scale it again. All others are sent byte for byte.
 */
export function readPictures(datasetPath: string, pictures: readonly Picture[]): Promise<Image[]> {
  return Promise.all(pictures.map((picture) => readPicture(join(datasetPath, picture.path), picture)));
}

async function readPicture(file: string, { size, fitted }: Picture): Promise<Image> {
  const bytes = await readRegularFile(file, maxImageBytes);
  if (fitted.width < size.width || fitted.height < size.height) {
    const made = await smallerJpeg(bytes, size, fitted);
    if (made === undefined) throw new Error(`image "${file}" of the dataset artifact is damaged`);
    return { kind: 'jpeg', bytes: made };
  }
  const facts = await readImage(bytes);
  if ('fault' in facts) throw new Error(`image "${file}" of the dataset artifact is damaged: ${facts.fault}`);
  return { kind: facts.kind, bytes };
}
