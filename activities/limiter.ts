/**
 * Limiter: requests and tokens per minute of one API key. A request reserves its prompt and `max_tokens` before it is sent,
 * waits in one queue and is released one at a time: when ten wait for one Retry-After, one goes, not ten. It sends
 * nothing itself and never retries.
 *
 * It keeps two pairs of buckets. The recipe's: what the operator allows. The server's: what is left there as far as known.
 * The latter start empty, for a drained server must not be burst into; an answer's x-ratelimit headers then say how much is
 * left (a fresh minute may be burst into) and what the true limit is, whatever the recipe says. A 429 slows down (AIMD).
 */
import { LatencyLimit } from './latency-limit.ts';
import { type Reservation, TokenBucket } from './token-bucket.ts';

export interface Limits {
  requestsPerMinute: number;
  tokensPerMinute: number;
}

/** What a response's x-ratelimit headers say; absent where the server says nothing. Counts, not rates. */
export interface RateNews {
  limitRequests?: number;
  remainingRequests?: number;
  limitTokens?: number;
  remainingTokens?: number;
}

/** A released request. Must be settled exactly once, whatever became of it. */
export interface Permit {
  /** An answer came: the server took `tokens`, as far as its usage tells. */
  settle(tokens: number, news?: RateNews): void;
  /** The server refused it by 429: nothing was taken. Without `retryAfterMs` the queue waits a second. */
  refused(retryAfterMs?: number, news?: RateNews): void;
  /** No answer: what was reserved counts as taken. */
  lost(): void;
}

interface Waiting {
  tokens: number;
  release: (permit: Permit) => void;
}

const minute = 60_000;
/** Left in a bucket whose level the server tells: requests overtake each other, and its count of a prompt's tokens is not quite ours. */
const spareMs = 1000;
const decrease = 0.7;
/** Additive increase per answered request, up to the full rate: 30 answers after one decrease. */
const increase = 0.01;
const slowest = 0.05;

export class RateLimiter {
  readonly #claims = new Map<symbol, Limits>();
  readonly #queue: Waiting[] = [];
  readonly #allowed = { requests: new TokenBucket(), tokens: new TokenBucket() };
  readonly #server = { requests: new TokenBucket(), tokens: new TokenBucket() };
  readonly #latency = new LatencyLimit();
  #stated: RateNews = {};
  #inFlight = 0;
  #factor = 1;
  /** The very first request goes at once, whatever it needs: its answer tells how full the server's buckets are. */
  #untried = true;
  #heldUntil = 0;
  #lastDecrease = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** One user's limits, until the returned function is called. Several users at once get the lowest of theirs. */
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

  /** Waits for room for one request of `tokens` (prompt estimate + max_tokens). Rejects with the signal's reason. */
  acquire(tokens: number, signal: AbortSignal): Promise<Permit> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = () => {
        const index = this.#queue.indexOf(waiting);
        if (index === -1) return;
        this.#queue.splice(index, 1);
        // The reason of an activity's signal is the CancelledFailure that must come through as it is.
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason }));
        this.#pump();
      };
      const release = (permit: Permit) => {
        signal.removeEventListener('abort', abort);
        resolve(permit);
      };
      const waiting = { tokens, release };
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
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      // The next answer pumps again.
      if (this.#inFlight >= this.#latency.limit) return;
      const now = performance.now();
      const wait = this.#waitMs(first.tokens, now);
      if (wait > 0 && !this.#untried) {
        this.#timer = setTimeout(() => this.#pump(), Math.ceil(wait));
        return;
      }
      if (this.#untried) {
        this.#server.requests.closeUntil(now, 1);
        this.#server.tokens.closeUntil(now, first.tokens);
        this.#untried = false;
      }
      this.#queue.shift();
      first.release(this.#permit(first.tokens, now));
    }
  }

  #waitMs(tokens: number, now: number): number {
    const { remainingRequests, remainingTokens } = this.#stated;
    // Of what it says nothing beside the other, the server has no limit.
    const isSilent = remainingRequests === undefined && remainingTokens === undefined;
    const spare = isSilent ? 0 : spareMs;
    const server = [
      isSilent || remainingRequests !== undefined ? this.#server.requests.waitMs(1, now, spare) : 0,
      isSilent || remainingTokens !== undefined ? this.#server.tokens.waitMs(tokens, now, spare) : 0,
    ];
    const allowed = [this.#allowed.requests.waitMs(1, now), this.#allowed.tokens.waitMs(tokens, now)];
    return Math.max(this.#heldUntil - now, ...allowed, ...server);
  }

  #permit(tokens: number, sentAt: number): Permit {
    this.#inFlight += 1;
    this.#allowed.requests.take(1, sentAt);
    this.#allowed.tokens.take(tokens, sentAt);
    const taken = {
      requests: this.#server.requests.take(1, sentAt),
      tokens: this.#server.tokens.take(tokens, sentAt),
    };
    this.#pace(tokens, sentAt);
    let open = true;
    const close = (account: () => void) => {
      if (!open) return;
      open = false;
      account();
      this.#inFlight -= 1;
      this.#pump();
    };
    return {
      settle: (used, news = {}) =>
        close(() => {
          this.#latency.answered(performance.now() - sentAt, this.#inFlight);
          this.#factor = Math.min(1, this.#factor + increase);
          this.#learn(taken, news);
          // A server that tells what is left has its own way of settling; one that does not is taken to charge what was used.
          if (this.#stated.remainingTokens === undefined) this.#giveBack(0, tokens - used);
        }),
      refused: (retryAfterMs = 1000, news = {}) => close(() => this.#backOff(sentAt, taken, retryAfterMs, news)),
      lost: () => close(() => this.#latency.answered(performance.now() - sentAt, this.#inFlight)),
    };
  }

  /** After a 429 requests are spread out, even if the buckets would let them burst. */
  #pace(tokens: number, now: number): void {
    if (this.#factor >= 1) return;
    const share = Math.max(tokens / this.#server.tokens.perMinute, 1 / this.#server.requests.perMinute);
    this.#heldUntil = Math.max(this.#heldUntil, now) + (share * minute) / this.#factor;
  }

  /** One decrease for all requests that were in flight together; the queue's head may go when Retry-After is over. */
  #backOff(sentAt: number, taken: Record<'requests' | 'tokens', Reservation>, retryMs: number, news: RateNews): void {
    const now = performance.now();
    if (sentAt > this.#lastDecrease) {
      this.#factor = Math.max(slowest, this.#factor * decrease);
      this.#lastDecrease = now;
    }
    this.#heldUntil = Math.max(this.#heldUntil, now + retryMs);
    this.#giveBack(1, taken.tokens.amount);
    this.#learn(taken, news);
    if (news.remainingTokens === undefined) this.#takeAsEmpty(taken.tokens.amount);
  }

  /** The server says nothing but 429: when its wait is over, there is room for one request. */
  #takeAsEmpty(tokens: number): void {
    const { requests, tokens: left } = this.#server;
    requests.closeUntil(this.#heldUntil, 1);
    left.closeUntil(this.#heldUntil, this.#queue[0]?.tokens ?? tokens);
  }

  #learn(taken: Record<'requests' | 'tokens', Reservation>, news: RateNews): void {
    this.#stated = { ...this.#stated, ...news };
    this.#applyLimits();
    if (news.remainingRequests !== undefined) this.#server.requests.correct(taken.requests, news.remainingRequests);
    if (news.remainingTokens !== undefined) this.#server.tokens.correct(taken.tokens, news.remainingTokens);
  }

  #giveBack(requests: number, tokens: number): void {
    for (const buckets of [this.#allowed, this.#server]) {
      buckets.requests.giveBack(requests);
      buckets.tokens.giveBack(tokens);
    }
  }

  #applyLimits(): void {
    const claims = [...this.#claims.values()];
    const requests = Math.min(...claims.map((claim) => claim.requestsPerMinute));
    const tokens = Math.min(...claims.map((claim) => claim.tokensPerMinute));
    this.#allowed.requests.limit(requests);
    this.#allowed.tokens.limit(tokens);
    this.#server.requests.limit(this.#stated.limitRequests || requests);
    this.#server.tokens.limit(this.#stated.limitTokens || tokens);
  }
}

/** The limiters of this process, one per API key and base URL, however many runs use them. */
export class LimiterRegistry {
  readonly #limiters = new Map<string, RateLimiter>();

  /** `account` identifies key and base URL; it must not be the key itself. */
  limiter(account: string): RateLimiter {
    const known = this.#limiters.get(account);
    if (known !== undefined) return known;
    const limiter = new RateLimiter();
    this.#limiters.set(account, limiter);
    return limiter;
  }
}
