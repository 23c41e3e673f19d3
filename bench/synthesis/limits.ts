/**
 * Limits as OpenAI enforces them: two buckets of a minute's worth each; a request takes itself and its prompt plus `max_tokens`
 * when it is admitted, and nothing comes back when it used less. Not our limiter's code: it is what that is measured against.
 */
export interface Verdict {
  /** Milliseconds until it would have fitted; 0: admitted. */
  waitMs: number;
  headers: Record<string, string>;
}

export class ServerLimits {
  readonly #limits: { requests: number; tokens: number };
  readonly #levels: { requests: number; tokens: number };
  #at = performance.now();

  /** `fill`: share of a minute's worth that is there at the start. */
  constructor(limits: { requests: number; tokens: number }, fill: number) {
    this.#limits = limits;
    this.#levels = { requests: limits.requests * fill, tokens: limits.tokens * fill };
  }

  admit(tokens: number): Verdict {
    const now = performance.now();
    const needs = { requests: 1, tokens: Math.min(tokens, this.#limits.tokens) };
    let waitMs = 0;
    for (const name of ['requests', 'tokens'] as const) {
      const perMs = this.#limits[name] / 60_000;
      this.#levels[name] = Math.min(this.#limits[name], this.#levels[name] + (now - this.#at) * perMs);
      waitMs = Math.max(waitMs, (needs[name] - this.#levels[name]) / perMs);
    }
    this.#at = now;
    if (waitMs <= 0) {
      this.#levels.requests -= needs.requests;
      this.#levels.tokens -= needs.tokens;
    }
    return { waitMs: Math.max(0, waitMs), headers: this.#headers() };
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
