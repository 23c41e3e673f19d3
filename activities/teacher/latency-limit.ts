/**
 * Latency limit: how many requests may be in flight, by how long answers take. While they take as long as usual there is no limit: then
 * only the rate limits apply. When they take twice as long, the server is queueing, and more requests would only make its queue longer.
 * Then the number falls by a tenth at a time, and rises again one by one. Pure arithmetic.
 */
const tolerance = 2;
const fewest = 4;
/** Weights of the newest answer in two means: the one that is watched, and the one that it is compared with. */
const quick = 1 / 20;
const slow = 1 / 500;
/** The mean of so many first answers counts as usual. One single answer may be quick by chance. */
const first = 20;

export class LatencyLimit {
  #usual = 0;
  #recent = 0;
  #limit = Number.POSITIVE_INFINITY;
  #tillNextCut = 0;
  #answers = 0;

  /** How many requests may be in flight. Infinity while answers take as long as usual. */
  get limit(): number {
    return this.#limit;
  }

  /** An answer took `ms` while `inFlight` requests were in flight, itself included. */
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
      // Requests in flight now were sent before this cut, so their answers say nothing about it.
      this.#tillNextCut = inFlight;
    }
  }
}
