/**
 * Spending cap: the money of one synthesis. What a request may cost is reserved before it is sent and settled after it, so the cap holds
 * whatever is in flight. If a reservation does not fit, it waits: requests in flight may cost less than reserved. If none is in flight,
 * the cap is reached.
 */
import { type Purse, reserve, settle } from '../../domain/estimate/budget.ts';

export class SpendingCap {
  #purse: Purse;
  #waiting: (() => void)[] = [];

  /** `spent`: what earlier tries of the stage have cost already. USD. */
  constructor(cap: number, spent: number) {
    this.#purse = { cap, spent, reserved: 0 };
  }

  get spent(): number {
    return this.#purse.spent;
  }

  /** True when `amount` is reserved. False if that would exceed the cap and nothing in flight can change it. */
  async reserve(amount: number): Promise<boolean> {
    for (;;) {
      const purse = reserve(this.#purse, amount);
      if (purse !== undefined) {
        this.#purse = purse;
        return true;
      }
      if (this.#purse.reserved === 0) return false;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Gives a reservation back and spends `used`. */
  settle(reserved: number, used: number): void {
    const after = settle(this.#purse, reserved, used);
    // Sums of floats leave a tiny rest, which would look like something in flight for ever.
    this.#purse = after.reserved < 1e-9 ? { ...after, reserved: 0 } : after;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
