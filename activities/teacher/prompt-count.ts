/**
 * Prompt count: how many tokens a prompt has for the server, learnt from the usage of its answers, for our own count is only
 * a guess (OpenAI takes 33 times as many tokens for a picture of gpt-4o-mini as for one of gpt-4o; others take the same for
 * each, whatever its size). Pure arithmetic.
 */
import type { RequestSize } from './permit.ts';

/** Share of the newest answer in the means, once there are as many as its inverse. */
const newest = 1 / 100;
/** A refusal says what one request needs only if that is plausible: at most this many times our own count. */
const mostTimes = 40;

/** A line through what the answers to one kind of request said, from our count to the server's. */
export class PromptCount {
  #answers = 0;
  #ours = 0;
  #theirs = 0;
  #variance = 0;
  #covariance = 0;
  /** What a refusal let us guess, until the first answer. */
  #times = 1;

  /** Whether an answer said anything yet. */
  get isLearnt(): boolean {
    return this.#answers > 0;
  }

  /** An answer's usage: `theirs` for a prompt that we took for `ours`. */
  learn(ours: number, theirs: number): void {
    this.#answers += 1;
    const weight = Math.max(newest, 1 / this.#answers);
    const [dx, dy] = [ours - this.#ours, theirs - this.#theirs];
    this.#ours += weight * dx;
    this.#theirs += weight * dy;
    this.#variance = (1 - weight) * (this.#variance + weight * dx * dx);
    this.#covariance = (1 - weight) * (this.#covariance + weight * dx * dy);
  }

  /** A refusal said what the server needs for a prompt that we took for `ours`. Believed until an answer says better. */
  guess(ours: number, theirs: number): void {
    const times = theirs / Math.max(1, ours);
    if (this.#answers === 0 && times > this.#times && times <= mostTimes) this.#times = times;
  }

  predict(ours: number): number {
    if (this.#answers === 0) return ours * this.#times;
    const times = this.#theirs / Math.max(1, this.#ours);
    // While prompts hardly differ, their slope is noise: it is drawn to the plain ratio.
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
