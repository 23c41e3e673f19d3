/**
 * Teacher client: one chat completion of an OpenAI-compatible server, with one HTTP request. Nothing is retried here. Expected outcomes
 * are returned. What no retry mends is thrown as a non-retryable ApplicationFailure, and an abort as its reason. GPT-4o and the offline
 * stand-in are asked in the same way; only the base URL differs.
 *
 * It asks for structured output by our schema. A server that refuses that (older vLLM) is asked for any JSON, and then only by the
 * prompt. A refused request was not paid. The caller is told so and asks again.
 */
import { log } from '@temporalio/activity';
import { APIConnectionError, APIError, OpenAI } from 'openai';
import * as z from 'zod';
import { noUsage } from '../../domain/estimate/budget.ts';
import { withoutKey } from './api-key.ts';
import {
  type AnswerFormat,
  answerFormats,
  type BodyStream,
  completionStream,
  type TeacherQuestion,
} from './completion-body.ts';
import type { Image } from '../dataset/image.ts';
import { parseJson } from '../../files/json.ts';
import { isAbort, passing, refuse } from '../failure.ts';
import { readCompletion, readRateNews, readRetryAfter, type TeacherAnswer, type UnusableReason } from './answer.ts';

export const openAiUrl = 'https://api.openai.com/v1';

/** The openai package, without retries. Everything that it would read from the environment is given. */
export function openAiPackage(baseUrl: string, key: string): OpenAI {
  const noEnvironment = { organization: null, project: null, webhookSecret: null, logLevel: 'off' } as const;
  return new OpenAI({ apiKey: key, baseURL: baseUrl, maxRetries: 0, ...noEnvironment });
}

const modelList = z.object({ data: z.array(z.object({ id: z.string() })) });

/** What `ask` sends. */
export interface TeacherRequest extends Pick<TeacherQuestion, 'timeoutMs' | 'requestKey'> {
  body: BodyStream;
  format: AnswerFormat;
}

export class TeacherClient {
  readonly #openai: OpenAI;
  readonly #key: string;
  #format: AnswerFormat = 'json_schema';
  /** An answer came, so this server accepts requests of our form. */
  #answered = false;

  constructor(baseUrl: string, key: string) {
    this.#key = key;
    this.#openai = openAiPackage(baseUrl, key);
  }

  /** The request in the form that this server accepts, to be sent once. */
  request(question: TeacherQuestion, pictures: readonly Image[]): TeacherRequest {
    const format = this.#format;
    const { timeoutMs, requestKey } = question;
    return { body: completionStream(question, pictures, format), format, timeoutMs, requestKey };
  }

  /** Asks once. `signal` ends it at once. `timeoutMs` bounds the whole answer with its body. */
  async ask({ body, format, timeoutMs, requestKey }: TeacherRequest, signal: AbortSignal): Promise<TeacherAnswer> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      // By path, since the package's method keeps the pictures as text, the JSON and its bytes until the answer comes.
      const response = await this.#openai
        .post('/chat/completions', {
          body: body.pieces,
          signal: AbortSignal.any([signal, deadline]),
          timeout: timeoutMs + 1000,
          headers: {
            'Content-Type': 'application/json',
            // With a known length the body is not sent in chunks, which not every server accepts.
            'Content-Length': String(body.length),
            'Idempotency-Key': requestKey,
          },
          // Otherwise fetch keeps a copy of what it has sent, for a redirect.
          fetchOptions: { redirect: 'error', window: null },
        })
        .asResponse();
      this.#answered = true;
      return readCompletion(await response.text(), readRateNews(response.headers));
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) return noAnswer(`no answer within ${timeoutMs / 1000} s`);
      return this.#otherFormat(error, format) ?? judgeError(error, this.#key);
    }
  }

  /**
   * Ids of the models that the key may use: a request that costs nothing. Undefined: the server has no such list, so the key was not tried. Throws
   * `TeacherDenied` for a key that is not accepted, else a sentence without the key.
   */
  async models(signal: AbortSignal): Promise<string[] | undefined> {
    try {
      const response = await this.#openai.get('/models', { signal }).asResponse();
      const { data } = modelList.safeParse(parseJson(await response.text()));
      return (data?.data ?? []).map(({ id }) => id);
    } catch (error) {
      if (error instanceof APIError && (error.status === 404 || error.status === 405)) return undefined;
      const said = withoutKey(causes(error), this.#key).slice(0, 300);
      const isDenied = error instanceof APIError && (error.status === 401 || error.status === 403);
      if (isDenied) throw refuse('TeacherDenied', `the teacher does not accept the key (${said})${hint(401)}`);
      throw passing('TeacherUnavailable', `the list of models: ${said}`);
    }
  }

  /** A refusal of the response format: it is unpaid and asked again in another format. Undefined if it is about anything else. */
  #otherFormat(error: unknown, format: AnswerFormat): TeacherAnswer | undefined {
    if (!(error instanceof APIError) || !this.#isAboutFormat(error)) return undefined;
    const said = withoutKey(error.message, this.#key).slice(0, 300);
    if (!this.#stepDown(format, said)) return undefined;
    return {
      kind: 'unavailable',
      detail: said,
      maybePaid: false,
      retryAfterMs: 0,
      news: readRateNews(headersOf(error)),
    };
  }

  /**
   * OpenAI names the parameter. Others (vLLM: `"param": null, "code": 400`) name none. Then it may be the format if nothing was ever
   * answered. To find out costs at most two refused requests.
   */
  #isAboutFormat({ status, param, code }: APIError): boolean {
    if (status !== 400 && status !== 422) return false;
    if (typeof param === 'string' && param !== '') return /^response_format\b/.test(param);
    const saysWhat = typeof code === 'string' && !/^\d*$/.test(code);
    return !saysWhat && !this.#answered;
  }

  /** False if `format` was the last one. Other requests may have changed the format while this one was on its way. */
  #stepDown(format: AnswerFormat, said: string): boolean {
    const next = answerFormats[answerFormats.indexOf(format) + 1];
    if (next === undefined) return false;
    if (this.#format === format) {
      this.#format = next;
      log.warn('the teacher refused a response format', { refused: format, next, said });
    }
    return true;
  }
}

/** What an error of the openai package means. An error that is not of the server or the network is thrown as it is. */
export function judgeError(error: unknown, key: string): TeacherAnswer {
  // The connection broke while the body was read: a TypeError of fetch ("terminated").
  if (error instanceof APIConnectionError || error instanceof TypeError || isAbort(error)) {
    return noAnswer(`connection failed: ${causes(error)}`);
  }
  if (!(error instanceof APIError) || error.status === undefined) throw error;
  return judgeStatus({
    status: error.status,
    code: error.code ?? '',
    type: error.type,
    said: withoutKey(error.message, key).slice(0, 300),
    headers: headersOf(error),
  });
}

function headersOf({ headers }: APIError): Headers {
  const given: unknown = headers;
  return given instanceof Headers ? given : new Headers();
}

/** The account cannot pay, and no retry mends it. The second and third are a batch's words for it (`errors`, or those of a line). */
export const quotaCodes = new Set(['insufficient_quota', 'billing_hard_limit_reached', 'billing_not_active']);

/** Codes that are about one row's prompt or picture (OpenAI's API reference, error codes of a response). */
const rowReasons = new Map<string, UnusableReason>([
  ...['content_filter', 'content_policy_violation', 'image_content_policy_violation', 'invalid_prompt'].map(
    (code) => [code, 'content-filter'] as const,
  ),
  ...[
    'invalid_image',
    'invalid_image_format',
    'invalid_base64_image',
    'invalid_image_mode',
    'image_too_large',
    'image_too_small',
    'image_parse_error',
    'image_file_too_large',
    'unsupported_image_media_type',
    'empty_image_file',
  ].map((code) => [code, 'picture-refused'] as const),
]);

/** Status and code of an error answer → try again, set the row aside, or stop the stage. */
export function judgeStatus(answer: {
  status: number;
  code: string;
  /** OpenAI's type of a 429 says which limit it is about: `requests` or `tokens`. */
  type?: string | undefined;
  said: string;
  headers: Headers;
}): TeacherAnswer {
  const { status, code, said, headers } = answer;
  const news = readRateNews(headers);
  const retryAfterMs = readRetryAfter(headers, Date.now());
  if (quotaCodes.has(code)) {
    throw refuse(
      'QuotaExhausted',
      `the teacher's account has no quota left (${said}): add credit or raise the account's limit, then answer "retry"`,
    );
  }
  if (status === 429) return { kind: 'rate-limited', refusal: { retryAfterMs, about: limitOf(answer.type) }, news };
  if (status === 408 || status === 409 || status >= 500) {
    return { kind: 'unavailable', detail: said, maybePaid: status === 408, retryAfterMs, news };
  }
  const reason = rowReasons.get(code);
  if (reason !== undefined) return { kind: 'unusable', reason, detail: said, model: '', usage: noUsage, news };
  throw refuse(
    status === 401 || status === 403 ? 'TeacherDenied' : 'TeacherRefused',
    `the teacher refused the request (${said})${hint(status)}`,
  );
}

function limitOf(type: string | undefined): 'requests' | 'tokens' | undefined {
  return type === 'requests' || type === 'tokens' ? type : undefined;
}

function hint(status: number): string {
  if (status === 401 || status === 403) return ': check the key in the API key file, and what it may use';
  if (status === 404) return ': check recipe.synthesis.model and the base URL';
  return '';
}

function noAnswer(detail: string): TeacherAnswer {
  return { kind: 'unavailable', detail, maybePaid: true, retryAfterMs: undefined, news: {} };
}

/** Messages along the chain of causes: "Connection error. ← fetch failed ← read ECONNRESET". */
function causes(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return error.cause instanceof Error ? `${error.message} ← ${causes(error.cause)}` : error.message;
}
