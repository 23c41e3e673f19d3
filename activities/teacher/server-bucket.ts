/**
 * Server bucket: what is left of a limit at a server that tells it with each answer, and what the server takes for a request. Servers
 * differ in two ways. They take tokens when they admit a request, or what was used when they answer. And their headers are of the one
 * moment or of the other. All four readings are kept as long as they foretell what the server says. Times are milliseconds of one clock.
 */
import { LevelFilter } from './level-filter.ts';

const minute = 60_000;
/** Requests that are sent within this time may overtake each other. */
const volleyMs = 100;
/** How exactly a moment is known. */
const momentMs = 30;
/** A reading that is less likely than another by this much (in log-likelihood) is dropped. Of the others the most cautious counts. */
const doubtful = 4;

/** Requests sent together, in what they need. */
interface Volley {
  since: number;
  needed: number;
}

/** A request's place in the order of sending: what was sent (itself included) and what had ended by then. */
export interface Mark {
  needed: number;
  sentAt: number;
  sentByThen: number;
  endedByThen: number;
  volley: Volley;
}

export class ServerBucket {
  /** Taken and told on admission · taken on admission, told with the answer · taken and told at the end · taken at the end, told on admission. */
  readonly #readings: readonly LevelFilter[];
  #isTold = false;
  #limit = 0;
  #sent = 0;
  #ended = 0;
  #at = Number.NEGATIVE_INFINITY;
  #volley: Volley = { since: Number.NEGATIVE_INFINITY, needed: 0 };
  #volleyBefore = this.#volley;

  constructor(of: 'requests' | 'tokens') {
    this.#readings = Array.from({ length: 4 }, () => new LevelFilter(of));
  }

  /** Has the server ever told what is left? */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** What it takes for a request, as a share of what the request needs to be admitted. */
  get share(): number {
    return this.#plausible()[0]?.share ?? 1;
  }

  sent(needed: number, now: number): Mark {
    this.#flow(now);
    this.#sent += needed;
    if (now - this.#volley.since > volleyMs) {
      this.#volleyBefore = this.#volley;
      this.#volley = { since: now, needed: 0 };
    }
    this.#volley.needed += needed;
    for (const reading of this.#readings) reading.send(needed);
    return { needed, sentAt: now, sentByThen: this.#sent, endedByThen: this.#ended, volley: this.#volley };
  }

  /** Requests need more than was supposed. `open` are all that are not over, in the order of sending. */
  recount(open: readonly Mark[], needs: readonly number[], now: number): void {
    this.#flow(now);
    let more = 0;
    for (const [index, mark] of open.entries()) {
      const needed = needs[index] ?? mark.needed;
      more += needed - mark.needed;
      mark.needed = needed;
      mark.sentByThen += more;
    }
    this.#sent += more;
    for (const reading of this.#readings) reading.send(more);
  }

  /** A request is over. Its answer, if there is one, said that `remaining` of `limit` per minute were left. */
  told(mark: Mark, remaining: number | undefined, limit: number, now: number): void {
    this.#ended += mark.needed;
    this.#hear(mark, remaining, limit, now);
  }

  /** A request was refused, so nothing was taken. */
  refused(mark: Mark, remaining: number | undefined, limit: number, now: number): void {
    this.#sent -= mark.needed;
    for (const reading of this.#readings) reading.send(-mark.needed);
    this.#hear({ ...mark, sentByThen: mark.sentByThen - mark.needed }, remaining, limit, now);
  }

  /** Milliseconds until a request that needs so much may be sent, with `spareMs` worth of refill left over. */
  waitMs(needed: number, now: number, spareMs: number): number {
    this.#flow(now);
    const perMs = this.#limit / minute;
    const missing = this.#plausible().map(({ level, share, doubt }) => {
      // A server may hold what requests in flight have reserved and will not use.
      const held = Math.max(0, 1 - share) * (this.#sent - this.#ended);
      const wanted = needed * Math.max(1, share) + held + spareMs * perMs + doubt;
      return Math.min(wanted, this.#limit - needed) - level;
    });
    const most = Math.max(...missing);
    // A thousandth is only rounding. To wait for it would be a busy loop.
    return most <= 0.001 ? 0 : most / perMs;
  }

  /** The likeliest reading, and those that are not much less likely. */
  #plausible(): LevelFilter[] {
    const byLikelihood = this.#readings.toSorted((a, b) => b.likelihood - a.likelihood);
    const best = byLikelihood[0]?.likelihood ?? 0;
    return byLikelihood.filter(({ likelihood }) => likelihood >= best - doubtful);
  }

  #hear(mark: Mark, remaining: number | undefined, limit: number, now: number): void {
    this.#flow(now);
    this.#limit = limit;
    if (remaining === undefined) return;
    this.#isTold = true;
    const perMs = limit / minute;
    const moment = momentMs * perMs + 0.01 * mark.needed;
    // Half of what was sent just now may not have arrived yet.
    const late = this.#sentLately(now) / 2;
    const onAdmission = { at: mark.sentAt, remaining, flowed: (now - mark.sentAt) * perMs };
    const withAnswer = { at: now, remaining, flowed: 0 };
    const { sentByThen, endedByThen, needed, volley } = mark;
    const sent = this.#sent;
    const statements = [
      { ...onAdmission, since: sent - sentByThen, doubt: moment + 0.3 * (volley.needed - needed) },
      { ...withAnswer, since: late, doubt: moment + late },
      { ...withAnswer, since: sent - this.#ended, doubt: moment },
      { ...onAdmission, since: sent - endedByThen, doubt: moment },
    ] as const;
    for (const [index, statement] of statements.entries()) {
      this.#readings[index]?.hear({ ...statement, since: Math.max(0, statement.since) }, limit);
    }
  }

  #sentLately(now: number): number {
    const lately = [this.#volley, this.#volleyBefore].filter(({ since }) => now - since <= 2 * volleyMs);
    return lately.reduce((sum, { needed }) => sum + needed, 0);
  }

  #flow(now: number): void {
    if (now <= this.#at) return;
    const amount = this.#at === Number.NEGATIVE_INFINITY ? 0 : ((now - this.#at) / minute) * this.#limit;
    this.#at = now;
    if (!this.#isTold) return;
    for (const reading of this.#readings) reading.flow(amount, this.#limit, now);
  }
}
