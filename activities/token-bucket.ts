/**
 * Token bucket: an amount that refills at a rate per minute and holds a minute's worth at most. Pure arithmetic on a
 * clock; the limiter owns the queue and the waiting. Times are `performance.now()`.
 */
const minute = 60_000;

/** An amount taken, and what had been taken in all by then, itself included. */
export interface Reservation {
  amount: number;
  at: number;
  takenByThen: number;
}

export class TokenBucket {
  #perMinute = 0;
  #level = 0;
  #at = performance.now();
  #taken = 0;
  #newestKnown = 0;

  get perMinute(): number {
    return this.#perMinute;
  }

  limit(perMinute: number): void {
    this.#refill(performance.now());
    this.#perMinute = perMinute;
    this.#level = Math.min(this.#level, perMinute);
  }

  fillUp(): void {
    this.#level = this.#perMinute;
  }

  /** Milliseconds until `amount` is there and `spareMs` worth of refill is left over. One larger than the bucket goes when it is full. */
  waitMs(amount: number, now: number, spareMs = 0): number {
    this.#refill(now);
    const wanted = Math.min(amount + (spareMs / minute) * this.#perMinute, this.#perMinute);
    const missing = wanted - this.#level;
    const closed = Math.max(0, this.#at - now);
    // A thousandth is rounding: waiting for it would spin.
    return missing <= 0.001 ? closed : closed + (missing / this.#perMinute) * minute;
  }

  take(amount: number, now: number): Reservation {
    this.#refill(now);
    this.#level -= amount;
    this.#taken += amount;
    return { amount, at: now, takenByThen: this.#taken };
  }

  giveBack(amount: number): void {
    this.#level = Math.min(this.#perMinute, this.#level + amount);
  }

  /**
   * The server said that `remaining` was left when it judged this reservation. By now that much has flowed in and that much
   * was taken; how long requests travel cancels out, as long as they all take the same time. Only the newest request's news counts.
   */
  correct(reservation: Reservation, remaining: number): void {
    if (reservation.takenByThen < this.#newestKnown) return;
    this.#newestKnown = reservation.takenByThen;
    const now = performance.now();
    this.#refill(now);
    const refilled = ((now - reservation.at) / minute) * this.#perMinute;
    const since = this.#taken - reservation.takenByThen;
    this.#level = Math.min(this.#perMinute, remaining + refilled - since);
  }

  /** Closed until `time`; then `amount` is there, for one request. */
  closeUntil(time: number, amount: number): void {
    this.#at = time;
    this.#level = Math.min(amount, this.#perMinute);
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#level = Math.min(this.#perMinute, this.#level + ((now - this.#at) / minute) * this.#perMinute);
    this.#at = now;
  }
}
