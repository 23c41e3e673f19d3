/**
 * Limiter: requests and tokens per minute of one API key, as two token buckets. A request reserves its prompt and
 * `max_tokens` before it is sent, waits in one queue and is released one at a time: when ten wait for one Retry-After, one
 * goes, not ten. The server's own x-ratelimit headers correct the buckets; a 429 empties them and slows down (AIMD).
 *
 * It starts with a few seconds' worth, not a full minute's: whether the server's bucket is full is only known once a
 * response says so, and then what it says may be burst into. It sends nothing itself and never retries.
 */
import { TokenBucket } from './token-bucket.ts';

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

/** Seconds' worth of the limits that a fresh limiter may burst before the server has said anything. */
const startSeconds = 5;
const decrease = 0.7;
/** Additive increase per answered request, up to the full rate: about 60 answers after a halving. */
const increase = 0.01;
const slowest = 0.05;

export class RateLimiter {
  readonly #claims = new Map<symbol, Limits>();
  readonly #queue: Waiting[] = [];
  readonly #requests = new TokenBucket();
  readonly #tokens = new TokenBucket();
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
    if (this.#untried) this.#startLow();
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
      const now = performance.now();
      const wait = Math.max(
        this.#heldUntil - now,
        this.#requests.waitMs(1, now),
        this.#tokens.waitMs(first.tokens, now),
      );
      if (wait > 0 && !this.#untried) {
        this.#timer = setTimeout(() => this.#pump(), Math.ceil(wait));
        return;
      }
      this.#queue.shift();
      this.#untried = false;
      first.release(this.#permit(first.tokens, now));
    }
  }

  #permit(tokens: number, sentAt: number): Permit {
    const request = this.#requests.take(1, sentAt);
    const reservation = this.#tokens.take(tokens, sentAt);
    let open = true;
    const close = (account: () => void) => {
      if (!open) return;
      open = false;
      account();
      this.#pump();
    };
    return {
      settle: (used, news = {}) =>
        close(() => {
          this.#factor = Math.min(1, this.#factor + increase);
          this.#applyLimits(news);
          this.#requests.settle(request, 1, news.remainingRequests);
          this.#tokens.settle(reservation, used, news.remainingTokens);
        }),
      refused: (retryAfterMs = 1000, news = {}) => close(() => this.#backOff(sentAt, tokens, retryAfterMs, news)),
      lost: () => close(() => undefined),
    };
  }

  /** One decrease for all requests that were in flight together; the queue's head may go when Retry-After is over. */
  #backOff(sentAt: number, tokens: number, retryAfterMs: number, news: RateNews): void {
    const now = performance.now();
    if (sentAt > this.#lastDecrease) {
      this.#factor = Math.max(slowest, this.#factor * decrease);
      this.#lastDecrease = now;
    }
    this.#applyLimits(news);
    this.#heldUntil = Math.max(this.#heldUntil, now + retryAfterMs);
    this.#requests.emptyUntil(this.#heldUntil, 1);
    this.#tokens.emptyUntil(this.#heldUntil, this.#queue[0]?.tokens ?? tokens);
  }

  #applyLimits(news: RateNews = {}): void {
    const claims = [...this.#claims.values()];
    this.#requests.limit(Math.min(...claims.map((claim) => claim.requestsPerMinute)), this.#factor, news.limitRequests);
    this.#tokens.limit(Math.min(...claims.map((claim) => claim.tokensPerMinute)), this.#factor, news.limitTokens);
  }

  #startLow(): void {
    this.#requests.startWith(startSeconds / 60);
    this.#tokens.startWith(startSeconds / 60);
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
