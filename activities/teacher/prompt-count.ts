/**
 * Prompt count: how many tokens the server counts for a prompt. It is learnt from the usage in answers, since our own count is only a
 * guess: for a picture OpenAI counts 33 times as many tokens with gpt-4o-mini as with gpt-4o, and other servers count the same for each
 * picture, whatever its size. Pure arithmetic.
 */
import type { RequestSize } from './permit.ts';

/** Share of the newest answer in the means, when there are at least as many as its inverse. */
const newest = 1 / 100;
/** What a refusal says about a request counts only if it is plausible: at most this many times our own count. */
const mostTimes = 40;

/** A line from our count to the server's, through what the answers to one kind of request said. */
export class PromptCount {
  #answers = 0;
  #ours = 0;
  #theirs = 0;
  #variance = 0;
  #covariance = 0;
  /** A guess from a refusal, until the first answer. */
  #times = 1;

  /** Has any answer stated its usage? */
  get isLearnt(): boolean {
    return this.#answers > 0;
  }

  /** An answer's usage: the server counted `theirs` for a prompt for which we counted `ours`. */
  learn(ours: number, theirs: number): void {
    this.#answers += 1;
    const weight = Math.max(newest, 1 / this.#answers);
    const [dx, dy] = [ours - this.#ours, theirs - this.#theirs];
    this.#ours += weight * dx;
    this.#theirs += weight * dy;
    this.#variance = (1 - weight) * (this.#variance + weight * dx * dx);
    this.#covariance = (1 - weight) * (this.#covariance + weight * dx * dy);
  }

  /** A refusal says what the server needs for a prompt for which we counted `ours`. It counts until the first answer. */
  guess(ours: number, theirs: number): void {
    const times = theirs / Math.max(1, ours);
    if (this.#answers === 0 && times > this.#times && times <= mostTimes) this.#times = times;
  }

  predict(ours: number): number {
    if (this.#answers === 0) return ours * this.#times;
    const times = this.#theirs / Math.max(1, this.#ours);
    // While prompts hardly differ, their slope is noise, so it is pulled to the plain ratio.
    const doubt = (0.01 * this.#ours) ** 2 + 1;
    const slope = (this.#covariance + doubt * times) / (this.#variance + doubt);
    return Math.max(1, this.#theirs + Math.max(0, slope) * (ours - this.#ours));
  }
}

/** One count for each kind of request. */
export class PromptCounts {
  readonly #counts = new Map<string, PromptCount>();

  of(kind: string): PromptCount {
    const known = this.#counts.get(kind) ?? new PromptCount();
    this.#counts.set(kind, known);
    return known;
  }

  /** Prompt by the server's count, and `max_tokens`. */
  needed({ kind, prompt, output }: RequestSize): number {
    return this.of(kind).predict(prompt) + output;
  }
}
