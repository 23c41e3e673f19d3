/** Completion body: the JSON of one chat completion request, the same whether it is sent alone or as a line of a batch. */
import { zodResponseFormat } from 'openai/helpers/zod';
import { critiquePartsSchema } from './teacher-answer.ts';

/** What is asked about one pair, but for its pictures. */
export interface TeacherQuestion {
  model: string;
  system: string;
  user: string;
  detail: 'low' | 'high';
  temperature: number;
  maxTokens: number;
  seed: number;
  timeoutMs: number;
  /** Sent as `Idempotency-Key` and found in the row log: names this request to both sides. */
  requestKey: string;
}

/** What `response_format` asks for, the most binding first. */
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
