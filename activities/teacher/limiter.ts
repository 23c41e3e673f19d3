/**
 * Limiter: requests and tokens per minute of one API key. A request reserves what it will take before it is sent. Requests wait in one
 * queue and are released one at a time: when ten wait for one Retry-After, one is sent, not ten. The limiter sends nothing itself and
 * never retries.
 *
 * It keeps two pairs of buckets and counts tokens as the server does, as far as that is learnt (prompt-count.ts). The recipe's buckets
 * hold what the operator allows. The server's hold what is left there (server-bucket.ts). The server's count as empty at first: a
 * drained server must not get a burst. Then the x-ratelimit headers of an answer say how much is left, so that a fresh minute may get a
 * burst, and what the true limit is, whatever the recipe says. If a refusal is only a matter of milliseconds, the request waits. Any
 * other refusal slows down (AIMD).
 */
import { type Clock, systemClock } from './clock.ts';
import { LatencyLimit } from './latency-limit.ts';
import type { Limits, Permit, RateNews, Refusal, RequestSize } from './permit.ts';
import { PromptCounts } from './prompt-count.ts';
import { type Mark, ServerBucket } from './server-bucket.ts';
import { TokenBucket } from './token-bucket.ts';

interface Waiting {
  size: RequestSize;
  release: (permit: Permit) => void;
}

/** A request in flight. */
interface Sent {
  size: RequestSize;
  at: number;
  /** Tokens that the server may demand before it admits the request, and those that it is expected to take. */
  needed: number;
  taken: number;
  marks: Pair<Mark>;
}

interface Pair<T> {
  requests: T;
  tokens: T;
}

const minute = 60_000;
/** This much is left in a bucket whose level the server tells: requests overtake each other, and prompts of one kind differ. */
const spareMs = 1000;
/** If a request was refused by less than this, or by less than its own tokens take to flow in, it came too early, and the rate is right. */
const earlyMs = 1000;
/** Above this share of refusals, over some thirty requests, timing is not the reason any more. */
const manyRefusals = 0.1;
const newest = 1 / 30;
const decrease = 0.7;
/** Additive increase per answered request, up to the full rate: 30 answers after one decrease. */
const increase = 0.01;
const slowest = 0.05;

export class RateLimiter {
  readonly #clock: Clock;
  readonly #claims = new Map<symbol, Limits>();
  readonly #queue: Waiting[] = [];
  readonly #allowed: Pair<TokenBucket>;
  /** The server's limits as long as it does not tell them. */
  readonly #supposed: Pair<TokenBucket>;
  readonly #server: Pair<ServerBucket> = { requests: new ServerBucket('requests'), tokens: new ServerBucket('tokens') };
  readonly #latency = new LatencyLimit();
  readonly #prompts = new PromptCounts();
  #stated: RateNews = {};
  readonly #inFlight = new Set<Sent>();
  #factor = 1;
  #refusedShare = 0;
  /** The very first request is sent at once, whatever it needs: its answer tells how full the server's buckets are. */
  #untried = true;
  #heldUntil = Number.NEGATIVE_INFINITY;
  #lastDecrease = Number.NEGATIVE_INFINITY;
  #stopTimer: () => void = () => undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    const bucket = () => new TokenBucket(clock.now());
    this.#allowed = { requests: bucket(), tokens: bucket() };
    this.#supposed = { requests: bucket(), tokens: bucket() };
  }

  /** Adds one user's limits, until the returned function is called. With several users the lowest limits hold. */
  claim(limits: Limits): () => void {
    const id = Symbol('claim');
    this.#claims.set(id, limits);
    this.#applyLimits();
    if (this.#untried) for (const bucket of Object.values(this.#allowed)) bucket.fillUp();
    return () => {
      this.#claims.delete(id);
      if (this.#claims.size > 0) this.#applyLimits();
    };
  }

  /** Waits for room for one request. Rejects with the signal's reason. */
  acquire(size: RequestSize, signal: AbortSignal): Promise<Permit> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = () => {
        const index = this.#queue.indexOf(waiting);
        if (index === -1) return;
        this.#queue.splice(index, 1);
        // The reason of an activity's signal is a CancelledFailure, which must be thrown on unchanged.
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason }));
        this.#pump();
      };
      const release = (permit: Permit) => {
        signal.removeEventListener('abort', abort);
        resolve(permit);
      };
      const waiting = { size, release };
      signal.addEventListener('abort', abort, { once: true });
      this.#queue.push(waiting);
      this.#pump();
    });
  }

  /** Share of the full rate in use, 0.05–1: below 1 after a 429. For progress texts. */
  get factor(): number {
    return this.#factor;
  }

  #pump(): void {
    this.#stopTimer();
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      // The next answer calls this again.
      if (this.#inFlight.size >= this.#latency.limit) return;
      const now = this.#clock.now();
      const needed = this.#prompts.needed(first.size);
      const wait = this.#waitMs(needed, now);
      if (wait > 0 && !this.#untried) {
        this.#stopTimer = this.#clock.after(Math.ceil(wait), () => this.#pump());
        return;
      }
      if (this.#untried) this.#supposeEmpty(now, needed);
      this.#untried = false;
      this.#queue.shift();
      first.release(this.#permit(this.#send(first.size, needed, now)));
    }
  }

  #waitMs(needed: number, now: number): number {
    const amounts = { requests: 1, tokens: needed };
    const taken = { requests: 1, tokens: needed * this.#server.tokens.share };
    const isSilent = !this.#server.requests.isTold && !this.#server.tokens.isTold;
    const waits = (['requests', 'tokens'] as const).map((name) => {
      const allowed = this.#allowed[name].waitMs(taken[name], now);
      if (isSilent) return Math.max(allowed, this.#supposed[name].waitMs(amounts[name], now));
      // A limit that the server never mentions does not apply.
      if (!this.#server[name].isTold) return allowed;
      return Math.max(allowed, this.#server[name].waitMs(amounts[name], now, spareMs));
    });
    return Math.max(this.#heldUntil - now, ...waits);
  }

  #send(size: RequestSize, needed: number, now: number): Sent {
    const taken = needed * this.#server.tokens.share;
    for (const buckets of [this.#allowed, this.#supposed]) {
      buckets.requests.take(1, now);
      buckets.tokens.take(taken, now);
    }
    this.#pace(taken, now);
    const marks = { requests: this.#server.requests.sent(1, now), tokens: this.#server.tokens.sent(needed, now) };
    const sent = { size, at: now, needed, taken, marks };
    this.#inFlight.add(sent);
    return sent;
  }

  #permit(sent: Sent): Permit {
    let open = true;
    const close = (account: () => void) => {
      if (!open) return;
      open = false;
      account();
      this.#inFlight.delete(sent);
      this.#pump();
    };
    const answered = () => this.#latency.answered(this.#clock.now() - sent.at, this.#inFlight.size);
    return {
      settle: (used, news = {}) =>
        close(() => {
          answered();
          this.#factor = Math.min(1, this.#factor + increase);
          this.#refusedShare -= this.#refusedShare * newest;
          if (used !== undefined) this.#learnPrompt(sent.size, used.input);
          this.#learn(sent, news, 'told');
          if (used !== undefined) this.#settle(sent, used);
        }),
      refused: (refusal, news = {}) => close(() => this.#backOff(sent, refusal, news)),
      lost: () =>
        close(() => {
          answered();
          this.#learn(sent, {}, 'told');
        }),
    };
  }

  /** A server that tells what is left shows what it takes. Any other server is supposed to charge what was used. */
  #settle({ size, taken }: Sent, { input, output }: { input: number; output: number }): void {
    const used = input + output;
    const { isTold, share } = this.#server.tokens;
    if (!isTold) return this.#giveBack(0, taken - used);
    const charged = share * (input + size.output);
    // If the server's limit is no higher than the recipe's, the server's own count decides, and the recipe's must not be stricter.
    const isServers = this.#supposed.tokens.perMinute <= this.#allowed.tokens.perMinute;
    this.#allowed.tokens.giveBack(taken - (isServers ? Math.min(charged, used) : charged));
  }

  /** After a decrease requests are spread out, even if the buckets would allow a burst. */
  #pace(tokens: number, now: number): void {
    if (this.#factor >= 1) return;
    this.#heldUntil = Math.max(this.#heldUntil, now) + this.#flowMs(tokens) / this.#factor;
  }

  /** Milliseconds in which what one such request needs flows in at the server. */
  #flowMs(tokens: number): number {
    return minute * Math.max(tokens / this.#supposed.tokens.perMinute, 1 / this.#supposed.requests.perMinute);
  }

  /** The queue's head may be sent when Retry-After is over. If timing is not the reason, the rate is cut. */
  #backOff(sent: Sent, { retryAfterMs = 1000, about }: Refusal, news: RateNews): void {
    const now = this.#clock.now();
    this.#refusedShare += (1 - this.#refusedShare) * newest;
    const isEarly = retryAfterMs <= Math.max(earlyMs, this.#flowMs(sent.needed));
    if (!isEarly || this.#refusedShare > manyRefusals) this.#slowDown(sent.at, now);
    // So that somebody else who was told the same does not come in the same millisecond.
    const jitter = this.#clock.random() * Math.min(100, retryAfterMs / 10);
    this.#heldUntil = Math.max(this.#heldUntil, now + retryAfterMs + jitter);
    this.#giveBack(1, sent.taken);
    this.#learn(sent, news, 'refused');
    if (about !== 'requests') this.#guessNeed(sent.size, retryAfterMs, news);
    const next = this.#queue[0];
    this.#supposeEmpty(this.#heldUntil, next === undefined ? sent.needed : this.#prompts.needed(next.size), about);
  }

  /** One decrease for all requests that were in flight together. */
  #slowDown(sentAt: number, now: number): void {
    if (sentAt <= this.#lastDecrease) return;
    this.#factor = Math.max(slowest, this.#factor * decrease);
    this.#lastDecrease = now;
  }

  /** The server demands this much for it: what is left, and what flows in until the request would be admitted. */
  #guessNeed(size: RequestSize, retryAfterMs: number, { limitTokens = 0, remainingTokens }: RateNews): void {
    if (remainingTokens === undefined) return;
    const wanted = remainingTokens + (retryAfterMs / minute) * limitTokens;
    if (wanted < limitTokens / 2) this.#prompts.of(size.kind).guess(size.prompt, wanted - size.output);
  }

  /** Until `time` there is nothing, then room for one request. `about`: only for one limit. */
  #supposeEmpty(time: number, tokens: number, about?: Refusal['about']): void {
    if (about !== 'tokens') this.#supposed.requests.closeUntil(time, 1);
    if (about !== 'requests') this.#supposed.tokens.closeUntil(time, tokens);
  }

  #learn({ marks }: Sent, news: RateNews, how: 'told' | 'refused'): void {
    const now = this.#clock.now();
    this.#stated = { ...this.#stated, ...news };
    this.#applyLimits();
    const { requests, tokens } = this.#supposed;
    this.#server.requests[how](marks.requests, news.remainingRequests, requests.perMinute, now);
    this.#server.tokens[how](marks.tokens, news.remainingTokens, tokens.perMinute, now);
  }

  /** The first answer of its kind says what all requests need that were sent before it. */
  #learnPrompt({ kind, prompt }: RequestSize, charged: number): void {
    const count = this.#prompts.of(kind);
    const isFirst = !count.isLearnt;
    count.learn(prompt, charged);
    if (!isFirst) return;
    const now = this.#clock.now();
    const open = [...this.#inFlight];
    for (const sent of open) {
      const needed = this.#prompts.needed(sent.size);
      const taken = needed * this.#server.tokens.share;
      this.#allowed.tokens.take(taken - sent.taken, now);
      Object.assign(sent, { needed, taken });
    }
    this.#server.tokens.recount(
      open.map(({ marks }) => marks.tokens),
      open.map(({ needed }) => needed),
      now,
    );
  }

  #giveBack(requests: number, tokens: number): void {
    for (const buckets of [this.#allowed, this.#supposed]) {
      buckets.requests.giveBack(requests);
      buckets.tokens.giveBack(tokens);
    }
  }

  #applyLimits(): void {
    const now = this.#clock.now();
    const claims = [...this.#claims.values()];
    const requests = Math.min(...claims.map((claim) => claim.requestsPerMinute));
    const tokens = Math.min(...claims.map((claim) => claim.tokensPerMinute));
    this.#allowed.requests.limit(requests, now);
    this.#allowed.tokens.limit(tokens, now);
    this.#supposed.requests.limit(this.#stated.limitRequests || requests, now);
    this.#supposed.tokens.limit(this.#stated.limitTokens || tokens, now);
  }
}
