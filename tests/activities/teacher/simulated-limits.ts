/**
 * An API with limits, and the rows that ask it through the limiter, in simulated time: minutes of it pass in milliseconds, and
 * the same seed gives the same run. It counts for itself, in ways of which the limiter knows nothing.
 */
import { setImmediate as settled } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Clock } from '../../../activities/teacher/clock.ts';
import { RateLimiter } from '../../../activities/teacher/limiter.ts';
import type { RateNews, RequestSize } from '../../../activities/teacher/permit.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

export interface ServerKind {
  requestsPerMinute: number;
  tokensPerMinute: number;
  /** Share of a minute's worth in the buckets at the start. */
  fill: number;
  /** Median seconds of an answer (log-normal, σ 0.35). */
  latency: number;
  /** Takes prompt and `max_tokens` when it admits · gives back with the answer what was not used · takes what was used afterwards. */
  charge: 'max' | 'settled' | 'afterwards';
  /** Whether its headers were written when it admitted the request or when it answered. */
  told: 'admission' | 'answer';
  /** Tokens of a picture that we count as `ours`. */
  picture: (ours: number) => number;
  charactersPerToken: number;
  /** How a refusal tells the wait: `retry-after-ms`, `retry-after` in whole seconds, or not at all. */
  wait: 'ms' | 'seconds' | 'none';
  /** Whether usage counts pictures as the limits do, or as we do. */
  usage: 'true' | 'ours';
}

export interface Outcome {
  /** Tokens (or requests, if those bind) that were admitted, of those that could have been: in all, and in the first minute. */
  share: number;
  firstMinute: number;
  /** Requests refused, of those that arrived. */
  refused: number;
  arrived: number;
}

const minute = 60_000;

/** Simulated time: what is due runs in order; between two events all promises settle. */
class SimulatedTime implements Clock {
  #now = 0;
  #events: { at: number; run: () => void }[] = [];
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const event = { at: this.#now + ms, run };
    this.#events.splice(this.#place(event.at), 0, event);
    return () => {
      event.run = () => undefined;
    };
  }

  async runUntil(end: number): Promise<void> {
    await settled();
    for (let event = this.#events.pop(); event !== undefined && event.at <= end; event = this.#events.pop()) {
      this.#now = event.at;
      event.run();
      await settled();
    }
  }

  /** The soonest is last; of two at one time, the older one. */
  #place(at: number): number {
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

interface Row {
  prompt: number;
  /** By the server's count. */
  charged: number;
  stated: number;
  used: number;
}

const maxTokens = 800;

/** Runs `minutes` of asking; `share` is over all of them, the full buckets of the start included. */
export async function simulate(kind: ServerKind, minutes: number, seed: number): Promise<Outcome> {
  const time = new SimulatedTime(seed);
  const limiter = new RateLimiter(time);
  const { requestsPerMinute, tokensPerMinute } = kind;
  limiter.claim({ requestsPerMinute, tokensPerMinute });
  const server = new Server(kind, time);
  const signal = new AbortController().signal;
  const end = minutes * minute;
  // As the stage does: sixteen at a time read and send their pictures, each within some 20 ms.
  const sending = pLimit(16);
  const send = (size: RequestSize) =>
    sending(async () => {
      const permit = await limiter.acquire(size, signal);
      await new Promise<void>((resolve) => time.after(10 + 20 * time.random(), resolve));
      return permit;
    });
  const ask = async () => {
    for (;;) {
      const row = drawRow(kind, time.random);
      for (let answered = false; !answered;) {
        const permit = await send({ kind: 'critiques', prompt: row.prompt, output: maxTokens });
        answered = await new Promise<boolean>((resolve) => {
          time.after(travel(time.random), () =>
            server.ask(row, (waitMs, news) => {
              if (waitMs === 0) permit.settle({ input: row.stated, output: row.used }, news);
              else permit.refused(told(waitMs, kind.wait), news);
              resolve(waitMs === 0);
            }),
          );
        });
      }
    }
  };
  const most = Math.min(2000, Math.ceil((requestsPerMinute / 60) * kind.latency * 2) + 50);
  for (let i = 0; i < most; i += 1) void ask();
  await time.runUntil(end);
  return server.outcome(minutes);
}

function told(waitMs: number, how: ServerKind['wait']): { retryAfterMs?: number } {
  if (how === 'none') return {};
  return { retryAfterMs: how === 'ms' ? Math.ceil(waitMs) : Math.ceil(waitMs / 1000) * 1000 };
}

/** Some 10 ms, one in fifty up to a quarter of a second longer: a machine with other work, a slow network. */
function travel(random: () => number): number {
  return 5 + 10 * random() + (random() < 0.02 ? 250 * random() : 0);
}

/** Two pictures of some size, a prompt of some length, an answer of some 350 tokens. */
function drawRow({ picture, charactersPerToken, usage }: ServerKind, random: () => number): Row {
  const sizes = [255, 425, 765, 1105];
  const ours = [0, 1].map(() => sizes[Math.floor(random() * sizes.length)] ?? 765);
  const characters = 2000 + Math.floor(random() * 300);
  const text = 60 + Math.ceil(characters / charactersPerToken);
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  const charged = text + sum(ours.map(picture));
  const stated = usage === 'true' ? charged : text + sum(ours);
  return {
    prompt: 120 + Math.ceil(characters / 4) + sum(ours),
    charged,
    stated,
    used: Math.round(250 + 200 * random()),
  };
}

class Server {
  readonly #kind: ServerKind;
  readonly #time: SimulatedTime;
  readonly #left: { requests: number; tokens: number };
  #at = 0;
  #count = { arrived: 0, refused: 0, tokens: 0, firstTokens: 0, firstRequests: 0 };

  constructor(kind: ServerKind, time: SimulatedTime) {
    this.#kind = kind;
    this.#time = time;
    this.#left = { requests: kind.requestsPerMinute * kind.fill, tokens: kind.tokensPerMinute * kind.fill };
  }

  ask(row: Row, answer: (waitMs: number, news: RateNews) => void): void {
    const { charge, told: when, latency } = this.#kind;
    this.#refill();
    this.#count.arrived += 1;
    const wanted = charge === 'afterwards' ? 1 : row.charged + maxTokens;
    const used = row.charged + (charge === 'max' ? maxTokens : row.used);
    const { requestsPerMinute, tokensPerMinute } = this.#kind;
    const waitMs = Math.max(
      ((Math.min(wanted, tokensPerMinute) - this.#left.tokens) / tokensPerMinute) * minute,
      ((1 - this.#left.requests) / requestsPerMinute) * minute,
    );
    if (waitMs > 0) {
      this.#count.refused += 1;
      const news = this.#news();
      this.#time.after(travel(this.#time.random), () => answer(waitMs, news));
      return;
    }
    this.#count.tokens += used;
    if (this.#time.now() <= minute) {
      this.#count.firstTokens += used;
      this.#count.firstRequests += 1;
    }
    this.#left.requests -= 1;
    if (charge !== 'afterwards') this.#left.tokens -= wanted;
    const atAdmission = this.#news();
    this.#time.after(logNormal(latency * 1000, this.#time.random), () => {
      this.#refill();
      this.#left.tokens -= charge === 'afterwards' ? used : used - wanted;
      const news = when === 'answer' ? this.#news() : atAdmission;
      this.#time.after(travel(this.#time.random), () => answer(0, news));
    });
  }

  outcome(minutes: number): Outcome {
    const { arrived, refused, tokens, firstTokens, firstRequests } = this.#count;
    const { requestsPerMinute, tokensPerMinute, fill } = this.#kind;
    const share = (requests: number, taken: number, worth: number) =>
      Math.max(taken / tokensPerMinute, requests / requestsPerMinute) / worth;
    return {
      share: share(arrived - refused, tokens, minutes + fill),
      firstMinute: share(firstRequests, firstTokens, 1 + fill),
      refused: refused / arrived,
      arrived,
    };
  }

  #refill(): void {
    const minutes = (this.#time.now() - this.#at) / minute;
    this.#at = this.#time.now();
    const { requestsPerMinute, tokensPerMinute } = this.#kind;
    this.#left.requests = Math.min(requestsPerMinute, this.#left.requests + minutes * requestsPerMinute);
    this.#left.tokens = Math.min(tokensPerMinute, this.#left.tokens + minutes * tokensPerMinute);
  }

  #news(): RateNews {
    return {
      limitRequests: this.#kind.requestsPerMinute,
      remainingRequests: Math.max(0, Math.floor(this.#left.requests)),
      limitTokens: this.#kind.tokensPerMinute,
      remainingTokens: Math.max(0, Math.floor(this.#left.tokens)),
    };
  }
}

/** Box and Muller 1958. */
function logNormal(median: number, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(0.35 * normal);
}
