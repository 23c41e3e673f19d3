/**
 * Limits as OpenAI enforces them: two buckets of a minute's worth each; a request takes itself and its prompt plus `max_tokens`
 * when it is admitted, and nothing comes back when it used less. Others charge what was used, when it is known. Not our limiter's code: it is what that is measured against.
 */
export interface Verdict {
  /** Milliseconds until it would have fitted; 0: admitted. */
  waitMs: number;
  /** The limit for which it waits longest. */
  about: 'requests' | 'tokens';
  headers: Record<string, string>;
}

export class ServerLimits {
  readonly #limits: { requests: number; tokens: number };
  readonly #levels: { requests: number; tokens: number };
  /** It flows from the first request on: what came in before would count as more than the limit. */
  #at: number | undefined;

  /** `fill`: share of a minute's worth that is there at the start. */
  constructor(limits: { requests: number; tokens: number }, fill: number) {
    this.#limits = limits;
    this.#levels = { requests: limits.requests * fill, tokens: limits.tokens * fill };
  }

  /** Takes a request and its tokens, if they fit. */
  admit(tokens: number): Verdict {
    return this.#judge(Math.min(tokens, this.#limits.tokens), true);
  }

  /** Takes a request if anything is left; its tokens are charged when they are known. */
  admitUnpaid(): Verdict {
    return this.#judge(1, false);
  }

  /** Charges for a request that was admitted; the level may become negative. Returns the headers of the moment after. */
  charge(tokens: number): Record<string, string> {
    this.#refill();
    this.#levels.tokens -= tokens;
    return this.#headers();
  }

  #judge(tokens: number, isTaken: boolean): Verdict {
    this.#refill();
    const wait = (name: 'requests' | 'tokens', needs: number) =>
      ((needs - this.#levels[name]) / this.#limits[name]) * 60_000;
    const [requestsMs, tokensMs] = [wait('requests', 1), wait('tokens', tokens)];
    const waitMs = Math.max(0, requestsMs, tokensMs);
    if (waitMs === 0) {
      this.#levels.requests -= 1;
      if (isTaken) this.#levels.tokens -= tokens;
    }
    return { waitMs, about: requestsMs > tokensMs ? 'requests' : 'tokens', headers: this.#headers() };
  }

  #refill(): void {
    const now = performance.now();
    const since = now - (this.#at ?? now);
    for (const name of ['requests', 'tokens'] as const) {
      const flowed = (since / 60_000) * this.#limits[name];
      this.#levels[name] = Math.min(this.#limits[name], this.#levels[name] + flowed);
    }
    this.#at = now;
  }

  #headers(): Record<string, string> {
    return Object.fromEntries(
      (['requests', 'tokens'] as const).flatMap((name) => [
        [`x-ratelimit-limit-${name}`, String(this.#limits[name])],
        [`x-ratelimit-remaining-${name}`, String(Math.max(0, Math.floor(this.#levels[name])))],
      ]),
    );
  }
}
