/**
 * Token bucket: one limit per minute, corrected by what the server says is left. Pure arithmetic on a clock; the limiter
 * owns the queue and the waiting.
 */
const minute = 60_000;

export interface Reservation {
  amount: number;
  at: number;
  /** Total taken from the bucket when this reservation was made, itself included. */
  takenBefore: number;
}

/** One token bucket: refills at `perMinute`, holds a minute's worth at most. Times are `performance.now()`. */
export class TokenBucket {
  #stated = Number.POSITIVE_INFINITY;
  #perMinute = 0;
  #capacity = 0;
  #level = 0;
  #at = performance.now();
  #taken = 0;

  /** `claimed`: what the recipe says. `stated`: what the server says, if it does; the lower one holds. */
  limit(claimed: number, factor: number, stated?: number): void {
    this.#refill(performance.now());
    if (stated !== undefined && stated > 0) this.#stated = stated;
    this.#capacity = Math.min(claimed, this.#stated);
    this.#perMinute = this.#capacity * factor;
    this.#level = Math.min(this.#level, this.#capacity);
  }

  startWith(share: number): void {
    this.#level = Math.max(1, this.#capacity * share);
    this.#at = performance.now();
  }

  /** Milliseconds until `amount` is there. One larger than the bucket goes when the bucket is full. */
  waitMs(amount: number, now: number): number {
    this.#refill(now);
    const missing = Math.min(amount, this.#capacity) - this.#level;
    // A thousandth is rounding: waiting for it would spin.
    return missing <= 0.001
      ? Math.max(0, this.#at - now)
      : Math.max(0, this.#at - now) + (missing / this.#perMinute) * minute;
  }

  take(amount: number, now: number): Reservation {
    this.#refill(now);
    this.#level -= amount;
    this.#taken += amount;
    return { amount, at: now, takenBefore: this.#taken };
  }

  /**
   * Without a header: what was reserved too much comes back. With one, it bounds the level: at least what the server had
   * left when it admitted this request less what was sent since; at most that plus what flowed in meanwhile.
   */
  settle(reservation: Reservation, used: number, remaining: number | undefined): void {
    const now = performance.now();
    this.#refill(now);
    if (remaining === undefined) {
      this.#level = Math.min(this.#capacity, this.#level + reservation.amount - used);
      return;
    }
    const since = this.#taken - reservation.takenBefore;
    const lowest = remaining - since;
    const highest = remaining + ((now - reservation.at) / minute) * this.#perMinute;
    this.#level = Math.min(this.#capacity, Math.max(lowest, Math.min(highest, this.#level)));
  }

  /** Nothing until `time`; then `amount` at once, for one request. */
  emptyUntil(time: number, amount: number): void {
    this.#at = time;
    this.#level = Math.min(amount, this.#capacity);
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#level = Math.min(this.#capacity, this.#level + ((now - this.#at) / minute) * this.#perMinute);
    this.#at = now;
  }
}
