/** Completion body: the JSON of one chat completion request. It is the same for a request by itself and for a line of a batch. */
import { zodResponseFormat } from 'openai/helpers/zod';
import { dataUrlStart, type Image } from '../dataset/image.ts';
import { critiquePartsSchema } from './answer.ts';

/** What is asked about one pair, without its pictures. */
export interface TeacherQuestion {
  model: string;
  system: string;
  user: string;
  detail: 'low' | 'high';
  temperature: number;
  maxTokens: number;
  seed: number;
  timeoutMs: number;
  /** The request's name for both sides: it is sent as `Idempotency-Key`, and the row log has it. */
  requestKey: string;
}

/** What `response_format` asks for, the strictest first. */
export const answerFormats = ['json_schema', 'json_object', 'text'] as const;
export type AnswerFormat = (typeof answerFormats)[number];

/** `images`: `data:` URLs, source first. */
export function completionBody(
  { model, system, user, detail, temperature, maxTokens, seed }: TeacherQuestion,
  images: readonly string[],
  format: AnswerFormat = 'json_schema',
) {
  const pictures = images.map((url) => ({ type: 'image_url', image_url: { url, detail } }));
  return {
    model,
    temperature,
    max_tokens: maxTokens,
    seed,
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: [{ type: 'text', text: user }, ...pictures] },
    ],
    ...responseFormat(format),
  };
}

export interface BodyStream {
  /** Bytes in all. */
  length: number;
  pieces: AsyncGenerator<Buffer>;
  /** Resolves when all pieces were taken, or no more will be. */
  taken: Promise<void>;
}

/** A multiple of 3, so that base64 of slices of this many bytes, joined, is base64 of the whole. */
const sliceBytes = 48 * 1024;

/**
 * The same body in pieces that are made while it is sent. A picture is let go as soon as it is sent: hundreds of requests are in flight
 * for seconds, and their pictures as text would fill most of the process's memory.
 */
export function completionStream(
  question: TeacherQuestion,
  pictures: readonly Image[],
  format: AnswerFormat,
): BodyStream {
  // The request's key is a hash, so no text of the prompt holds it.
  const marks = pictures.map((_, index) => `picture ${index} of ${question.requestKey}`);
  const text = JSON.stringify(completionBody(question, marks, format));
  const left = pictures.map((picture) => ({ start: dataUrlStart(picture.kind), bytes: picture.bytes }));
  const between = marks.reduce((parts, mark) => [...parts.slice(0, -1), ...(parts.at(-1) ?? '').split(mark)], [text]);
  const length = between.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  const { promise: taken, resolve: end } = Promise.withResolvers<void>();
  return {
    length: left.reduce((sum, { start, bytes }) => sum + start.length + 4 * Math.ceil(bytes.length / 3), length),
    pieces: pieces(between, left, end),
    taken,
  };
}

async function* pieces(
  between: string[],
  left: { start: string; bytes: Buffer }[],
  end: () => void,
): AsyncGenerator<Buffer> {
  try {
    yield* inOrder(between, left);
  } finally {
    end();
  }
}

function* inOrder(between: string[], left: { start: string; bytes: Buffer }[]): Generator<Buffer> {
  for (const part of between) {
    yield Buffer.from(part);
    const picture = left.shift();
    if (picture === undefined) continue;
    yield Buffer.from(picture.start);
    for (let at = 0; at < picture.bytes.length; at += sliceBytes) {
      yield Buffer.from(picture.bytes.toString('base64', at, at + sliceBytes), 'latin1');
    }
  }
}

function responseFormat(format: AnswerFormat) {
  switch (format) {
    case 'json_schema':
      return { response_format: zodResponseFormat(critiquePartsSchema, 'critique') };
    case 'json_object':
      return { response_format: { type: 'json_object' } };
    case 'text':
      return {};
  }
}
