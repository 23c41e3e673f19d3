/** What is said between the limiter and those who ask it: sizes, limits, what a server told, and a permit to send. */
export interface Limits {
  requestsPerMinute: number;
  tokensPerMinute: number;
}

/** A request as we count it, in tokens. */
export interface RequestSize {
  /** Requests of one kind are counted by one rule: the same model, prompt and detail of pictures. */
  kind: string;
  prompt: number;
  /** `max_tokens`. */
  output: number;
}

/** What a response's x-ratelimit headers say; absent where the server says nothing. Counts, not rates. */
export interface RateNews {
  limitRequests?: number;
  remainingRequests?: number;
  limitTokens?: number;
  remainingTokens?: number;
}

/** A 429. */
export interface Refusal {
  /** Milliseconds until the server would admit it; without it the queue waits a second. */
  retryAfterMs?: number | undefined;
  /** Of which limit the server says that it was reached. */
  about?: 'requests' | 'tokens' | undefined;
}

/** A released request. Must be settled exactly once, whatever became of it. */
export interface Permit {
  /** An answer came; `used`: tokens by its usage, if it states one. */
  settle(used: { input: number; output: number } | undefined, news?: RateNews): void;
  /** The server refused it by 429: nothing was taken. */
  refused(refusal: Refusal, news?: RateNews): void;
  /** No answer: what was reserved counts as taken. */
  lost(): void;
}
