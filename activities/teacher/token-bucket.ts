/**
 * Token bucket: an amount that refills at a rate per minute and holds at most a minute's worth. Pure arithmetic on a clock: the limiter
 * has the queue and does the waiting. Times are milliseconds of the limiter's clock.
 */
const minute = 60_000;

export class TokenBucket {
  #perMinute = 0;
  #level = 0;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  get perMinute(): number {
    return this.#perMinute;
  }

  limit(perMinute: number, now: number): void {
    this.#refill(now);
    this.#perMinute = perMinute;
    this.#level = Math.min(this.#level, perMinute);
  }

  fillUp(): void {
    this.#level = this.#perMinute;
  }

  /** Milliseconds until `amount` is there. An amount larger than the bucket is there when the bucket is full. */
  waitMs(amount: number, now: number): number {
    this.#refill(now);
    const missing = Math.min(amount, this.#perMinute) - this.#level;
    const closed = Math.max(0, this.#at - now);
    // A thousandth is only rounding. To wait for it would be a busy loop.
    return missing <= 0.001 ? closed : closed + (missing / this.#perMinute) * minute;
  }

  take(amount: number, now: number): void {
    this.#refill(now);
    this.#level -= amount;
  }

  giveBack(amount: number): void {
    this.#level = Math.min(this.#perMinute, this.#level + amount);
  }

  /** Closed until `time`. Then `amount` is there, for one request. */
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
