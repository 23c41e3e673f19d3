/** Reckoning: what the bench's server admitted, refused and was paid for. Its own count, independent of any client's. */
import * as z from 'zod';

const number = z.number();

export const countSchema = z.object({
  arrived: number,
  admitted: number,
  refused: number,
  /** Answers that were made and sent whole or in part: paid. */
  paid: number,
  /** Tokens taken by admitted requests, in all and in the first minute. */
  tokens: number,
  tokensFirstMinute: number,
  /** Milliseconds from the first request to the last admitted one. */
  spanMs: number,
  /** Requests that are open now, and the most that were. */
  open: number,
  mostOpen: number,
  rows: number,
  rowsPaidTwice: number,
  /** Milliseconds since the last request came; null before the first. */
  idleMs: number.nullable(),
});
export type Count = z.output<typeof countSchema>;

export class Reckoning {
  #firstAt: number | undefined;
  #lastAt: number | undefined;
  #lastAdmittedAt = 0;
  readonly #count = {
    arrived: 0,
    admitted: 0,
    refused: 0,
    paid: 0,
    tokens: 0,
    tokensFirstMinute: 0,
    open: 0,
    mostOpen: 0,
  };
  readonly #paidByRow = new Map<string, number>();

  arrived(): void {
    this.#lastAt = performance.now();
    this.#firstAt ??= this.#lastAt;
    this.#count.arrived += 1;
    this.#count.open += 1;
    this.#count.mostOpen = Math.max(this.#count.mostOpen, this.#count.open);
  }

  ended(): void {
    this.#count.open -= 1;
  }

  admitted(tokens: number): void {
    this.#lastAdmittedAt = performance.now();
    this.#count.admitted += 1;
    this.charged(tokens);
  }

  charged(tokens: number): void {
    this.#count.tokens += tokens;
    if (performance.now() - (this.#firstAt ?? 0) < 60_000) this.#count.tokensFirstMinute += tokens;
  }

  refused(): void {
    this.#count.refused += 1;
  }

  paid(row: string): void {
    this.#count.paid += 1;
    this.#paidByRow.set(row, (this.#paidByRow.get(row) ?? 0) + 1);
  }

  count(): Count {
    return {
      ...this.#count,
      spanMs: this.#lastAdmittedAt - (this.#firstAt ?? this.#lastAdmittedAt),
      rows: this.#paidByRow.size,
      rowsPaidTwice: [...this.#paidByRow.values()].filter((times) => times > 1).length,
      idleMs: this.#lastAt === undefined ? null : performance.now() - this.#lastAt,
    };
  }
}
