/**
 * Latency limit: how many requests may be in flight, by how long answers take. No limit while they take as long as usual,
 * for then the rate limits alone decide; once they take twice as long, the server is queueing, and sending more would only
 * lengthen its queue. Fewer then, a tenth at a time, and more again one by one. Pure arithmetic.
 */
const tolerance = 2;
const fewest = 4;
/** Weights of the newest answer in the mean that is watched and in the one that it is compared with. */
const quick = 1 / 20;
const slow = 1 / 500;
/** The mean of so many first answers is what is usual: one alone may have been quick by chance. */
const first = 20;

export class LatencyLimit {
  #usual = 0;
  #recent = 0;
  #limit = Number.POSITIVE_INFINITY;
  #tillNextCut = 0;
  #answers = 0;

  /** Requests that may be in flight; Infinity while answers take as long as usual. */
  get limit(): number {
    return this.#limit;
  }

  /** An answer took `ms` while `inFlight` requests were out, itself included. */
  answered(ms: number, inFlight: number): void {
    this.#answers += 1;
    this.#usual += (ms - this.#usual) * (this.#answers <= first ? 1 / this.#answers : slow);
    this.#recent = this.#recent === 0 ? ms : this.#recent + (ms - this.#recent) * quick;
    this.#tillNextCut -= 1;
    if (this.#recent <= tolerance * this.#usual) {
      this.#limit += 1;
      if (this.#limit > 2 * inFlight + fewest) this.#limit = Number.POSITIVE_INFINITY;
    } else if (this.#tillNextCut <= 0) {
      this.#limit = Math.max(fewest, Math.floor(Math.min(this.#limit, inFlight) * 0.9));
      // What is in flight now was sent before this cut: its answers say nothing about it.
      this.#tillNextCut = inFlight;
    }
  }
}
