/** What passes between the limiter and those who use it: sizes, limits, what a server told, and a permit to send. */
export interface Limits {
  requestsPerMinute: number;
  tokensPerMinute: number;
}

/** A request as we count it, in tokens. */
export interface RequestSize {
  /** Requests of one kind (the same model, prompt and detail of pictures) are counted by one rule. */
  kind: string;
  prompt: number;
  /** `max_tokens`. */
  output: number;
}

/** What a response's x-ratelimit headers say. Absent if the server says nothing. Counts, not rates. */
export interface RateNews {
  limitRequests?: number;
  remainingRequests?: number;
  limitTokens?: number;
  remainingTokens?: number;
}

/** A 429. */
export interface Refusal {
  /** Milliseconds until the server would admit it. Without it the queue waits a second. */
  retryAfterMs?: number | undefined;
  /** The limit that was reached, as the server says. */
  about?: 'requests' | 'tokens' | undefined;
}

/** A released request. It must be settled exactly once, whatever happens to it. */
export interface Permit {
  /** An answer came. `used`: tokens by its usage, if it states one. */
  settle(used: { input: number; output: number } | undefined, news?: RateNews): void;
  /** The server refused it with 429, so nothing was taken. */
  refused(refusal: Refusal, news?: RateNews): void;
  /** There was no answer. What was reserved counts as taken. */
  lost(): void;
}
