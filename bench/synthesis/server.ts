/**
 * A server with GPT-4o's published limits, for measuring whoever asks it: `node bench/synthesis/server.ts --port 8200`. It
 * admits, refuses and waits as OpenAI does, and counts for itself (`GET /count`). NOT a language model: its answers are words
 * drawn from a list. Loopback only. See bench/synthesis/README.md for the options and for asking it with other tools.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import * as z from 'zod';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import { imageTokens } from '../../domain/critique/tokens.ts';
import { drawCritique } from './critique.ts';
import { ServerLimits } from './limits.ts';
import { Reckoning } from './reckoning.ts';
import { tierLimits } from './tiers.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    /** GPT-4o's usage tier, 1 to 5: the default of the two limits. */
    tier: { type: 'string', default: '4' },
    'requests-per-minute': { type: 'string' },
    'tokens-per-minute': { type: 'string' },
    /** Tokens of each picture, whatever its size; without it OpenAI's tile rule. */
    'picture-tokens': { type: 'string' },
    'characters-per-token': { type: 'string', default: '4.4' },
    /** `max`: prompt and max_tokens, as it admits; `actual`: what was used, as it answers, and its headers are of that moment. */
    charge: { type: 'string', default: 'max' },
    /** Share of a minute's worth in the buckets at the start: 1 fresh, 0 drained. */
    fill: { type: 'string', default: '1' },
    /** Seconds an answer takes: the median; log-normal, so that one in twenty takes 1.8 times as long. */
    latency: { type: 'string', default: '6' },
    /** Share of admitted requests that go wrong: a quarter each 500, reset, cut off in the body, never answered. */
    faults: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});
const random = seededRandom(Number(values.seed));
const { requestsPerMinute, tokensPerMinute } = tierLimits(Number(values.tier));
const limits = new ServerLimits(
  {
    requests: Number(values['requests-per-minute'] ?? requestsPerMinute),
    tokens: Number(values['tokens-per-minute'] ?? tokensPerMinute),
  },
  Number(values.fill),
);
const isCharged = { atOnce: z.enum(['max', 'actual']).parse(values.charge) === 'max' };
const reckoning = new Reckoning();
const faults = ['500', 'reset', 'cut', 'silence'] as const;

const part = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string(), detail: z.string().optional() }) }),
]);
const bodySchema = z.object({
  model: z.string(),
  max_tokens: z.number().optional(),
  max_completion_tokens: z.number().optional(),
  messages: z.array(z.object({ content: z.union([z.string(), z.array(part)]) })),
});

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(Number(values.port), '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : values.port}/v1`);
});
process.on('SIGTERM', () => process.exit(0));

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/count') {
    send(response, 200, reckoning.count());
    return;
  }
  reckoning.arrived();
  response.on('close', () => reckoning.ended());
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const { text, images, maxTokens, model } = await read(Buffer.concat(chunks).toString('utf8'));
  // Its own count of text: not quite what a client estimates.
  const prompt = 60 + textTokens(text) + images;
  const { waitMs, about, headers } = isCharged.atOnce ? limits.admit(prompt + maxTokens) : limits.admitUnpaid();
  if (waitMs > 0) {
    reckoning.refused();
    const error = { message: 'Rate limit reached', type: about, param: null, code: 'rate_limit_exceeded' };
    send(response, 429, { error }, { ...headers, 'retry-after-ms': String(Math.ceil(waitMs)) });
    return;
  }
  reckoning.admitted(isCharged.atOnce ? prompt + maxTokens : 0);
  await answer(response, { text, prompt, model }, headers);
}

async function answer(
  response: ServerResponse,
  { text, prompt, model }: { text: string; prompt: number; model: string },
  admitted: Record<string, string>,
): Promise<void> {
  const fault = random() < Number(values.faults) ? faults[Math.floor(random() * faults.length)] : undefined;
  if (fault === 'silence') return;
  await sleep(fault === '500' ? 200 : latencyMs());
  if (fault === '500') {
    send(response, 500, { error: { message: 'The server had an error', type: 'server_error', code: null } }, admitted);
    return;
  }
  if (fault === 'reset') {
    response.destroy();
    return;
  }
  reckoning.paid(createHash('sha256').update(text).digest('hex'));
  const content = JSON.stringify(drawCritique(random));
  const output = textTokens(content);
  if (!isCharged.atOnce) reckoning.charged(prompt + output);
  const headers = isCharged.atOnce ? admitted : limits.charge(prompt + output);
  const completion = {
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: `bench-server (asked for ${model})`,
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content, refusal: null } }],
    usage: { prompt_tokens: prompt, completion_tokens: output, total_tokens: prompt + output },
  };
  if (fault === 'cut') {
    const whole = JSON.stringify(completion);
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(whole.slice(0, whole.length / 2));
    return;
  }
  send(response, 200, completion, headers);
}

async function read(body: string): Promise<{ text: string; images: number; maxTokens: number; model: string }> {
  const { messages, model, max_tokens, max_completion_tokens } = bodySchema.parse(JSON.parse(body));
  let text = '';
  let images = 0;
  for (const { content } of messages) {
    const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content;
    for (const one of parts) {
      if (one.type === 'text') text += `${one.text}\n`;
      else {
        const { url, detail } = one.image_url;
        if (values['picture-tokens'] !== undefined) {
          images += Number(values['picture-tokens']);
          continue;
        }
        const { width, height } = await sharp(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')).metadata();
        images += imageTokens({ width, height }, detail === 'low' ? 'low' : 'high');
      }
    }
  }
  return { text, images, model, maxTokens: max_completion_tokens ?? max_tokens ?? 4096 };
}

function textTokens(text: string): number {
  return Math.ceil(text.length / Number(values['characters-per-token']));
}

/** Log-normal (Box and Muller 1958), σ 0.35. */
function latencyMs(): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Number(values.latency) * 1000 * Math.exp(0.35 * normal);
}

function send(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}
