/**
 * Teacher answer: what a chat completion's HTTP answer says, read with distrust. A status of 200 proves nothing: the body may be cut
 * off, an error, empty, a refusal, truncated, or not what was asked for. Pure: text in, classified answer out.
 */
import * as z from 'zod';
import type { Usage } from '../../domain/estimate/budget.ts';
import type { Critique } from '../../domain/critique/prompt.ts';
import type { RateNews, Refusal } from './permit.ts';
import { parseJson } from '../../files/json.ts';

/** The four parts asked of the teacher, in their order. */
export const critiquePartsSchema = z.object({
  alignment: z.string(),
  fidelity: z.string(),
  quality: z.string(),
  overall: z.string(),
}) satisfies z.ZodType<Critique>;

const count = z.int().min(0);

/** Answers without a critique. They cost money, unless the server refused the prompt or a picture. */
export const unusableReasons = [
  'refusal',
  'truncated',
  'content-filter',
  'picture-refused',
  'malformed',
  'missing-part',
  'wrong-order',
  'empty',
] as const;
export type UnusableReason = (typeof unusableReasons)[number];

export type TeacherAnswer =
  | { kind: 'critique'; critique: Critique; model: string; usage: Usage | undefined; news: RateNews }
  | {
      kind: 'unusable';
      reason: UnusableReason;
      detail: string;
      model: string;
      usage: Usage | undefined;
      news: RateNews;
    }
  /** There is no answer this time. `maybePaid`: the server may have done the work. */
  | { kind: 'unavailable'; detail: string; maybePaid: boolean; retryAfterMs: number | undefined; news: RateNews }
  | { kind: 'rate-limited'; refusal: Refusal; news: RateNews };

const completionSchema = z.object({
  model: z.string().default(''),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z
    .object({
      prompt_tokens: count,
      completion_tokens: count,
      prompt_tokens_details: z.object({ cached_tokens: count.nullish() }).nullish(),
    })
    .nullish(),
});

/** Reads the body of an answer with status 200. */
export function readCompletion(body: string, news: RateNews): TeacherAnswer {
  const value = parseJson(body);
  const completion = completionSchema.safeParse(value);
  const choice = completion.data?.choices[0];
  if (completion.data === undefined || choice === undefined) {
    const detail = `status 200 with no completion: ${body.slice(0, 200)}`;
    return { kind: 'unavailable', detail, maybePaid: value === undefined, retryAfterMs: undefined, news };
  }
  const { model } = completion.data;
  const usage = readUsage(completion.data.usage);
  const unusable = (reason: UnusableReason, detail: string): TeacherAnswer => ({
    kind: 'unusable',
    reason,
    detail: detail.slice(0, 300),
    model,
    usage,
    news,
  });
  const content = choice.message.content ?? '';
  const refusal = choice.message.refusal ?? '';
  if (refusal !== '') return unusable('refusal', refusal);
  if (choice.finish_reason === 'content_filter') return unusable('content-filter', 'stopped by the content filter');
  if (choice.finish_reason === 'length') return unusable('truncated', 'stopped at max_tokens');
  if (content.trim() === '') return unusable('empty', 'no content');
  const critique = readCritique(content);
  if (typeof critique === 'string') return unusable(critique, content);
  return { kind: 'critique', critique, model, usage, news };
}

/**
 * The content as a critique, or what is wrong with its form. A critic learns from the parts joined in our order. So an answer that
 * reasons in another order (e.g. its overall verdict first) is no critique: its later parts build on what would come after them.
 */
function readCritique(content: string): Critique | 'malformed' | 'missing-part' | 'wrong-order' {
  const value = parseJson(unfenced(content));
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) return 'malformed';
  const parts = critiquePartsSchema.keyof().options;
  if (parts.some((part) => !(part in object.data))) return 'missing-part';
  const critique = critiquePartsSchema.safeParse(value);
  if (!critique.success) return 'malformed';
  const given = Object.keys(object.data).filter((key) => key in critique.data);
  return given.join() === parts.join() ? critique.data : 'wrong-order';
}

/** The text without the code fence that models put around JSON when they have no schema. */
function unfenced(content: string): string {
  return /^\s*```(?:json)?\s([^]*?)```\s*$/i.exec(content)?.[1] ?? content;
}

/** What the x-ratelimit headers say. Names as in OpenAI's API reference. */
export function readRateNews(headers: Headers): RateNews {
  const number = (name: string) => {
    const text = headers.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const news = {
    limitRequests: number('x-ratelimit-limit-requests'),
    remainingRequests: number('x-ratelimit-remaining-requests'),
    limitTokens: number('x-ratelimit-limit-tokens'),
    remainingTokens: number('x-ratelimit-remaining-tokens'),
  };
  return Object.fromEntries(Object.entries(news).filter(([, value]) => value !== undefined));
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date, in milliseconds from `now`. Undefined if absent or unreadable. */
export function readRetryAfter(headers: Headers, now: number): number | undefined {
  const ms = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (Number.isFinite(ms)) return Math.max(0, ms);
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = Number(text);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

function readUsage(usage: z.output<typeof completionSchema>['usage']): Usage | undefined {
  if (usage === null || usage === undefined) return undefined;
  const cachedInput = Math.min(usage.prompt_tokens_details?.cached_tokens ?? 0, usage.prompt_tokens);
  return { input: usage.prompt_tokens, cachedInput, output: usage.completion_tokens };
}
