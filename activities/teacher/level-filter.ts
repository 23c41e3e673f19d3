/**
 * Level filter: what is left in a bucket that flows full at a known rate, and what one sent token takes from it, estimated
 * from what its owner says now and then (a Kalman filter of two numbers; Kalman 1960). What it says is old by the time that
 * it arrives, and requests overtake each other: each statement is believed as far as it can be. Pure arithmetic.
 */
/** How far off a share of 1 may be at first, and by how much it may change from answer to answer: standard deviations. */
const tokenDoubt = { share: 0.2, drift: 0.01 };
const noDoubt = { share: 0.001, drift: 0 };
/** One request takes more or less than its share: standard deviation, of what it needs. */
const requestDoubt = 0.15;

export class LevelFilter {
  /** Tokens that are left, and those that go for each token sent; the latter is 1 where a server takes what we reckon. */
  #level = 0;
  #share = 1;
  /** Their variances and covariance. */
  #levelVariance = Number.POSITIVE_INFINITY;
  #shareVariance: number;
  readonly #drift: number;
  #covariance = 0;
  #fullAt = Number.NEGATIVE_INFINITY;
  /** Log-likelihood of what was said lately: the higher, the better it was foretold. */
  likelihood = 0;

  /** `of`: each request takes one of `requests`, while what it takes of `tokens` is to be learnt. */
  constructor(of: 'requests' | 'tokens') {
    const { share, drift } = of === 'tokens' ? tokenDoubt : noDoubt;
    this.#shareVariance = share ** 2;
    this.#drift = drift;
  }

  get share(): number {
    return this.#share;
  }

  get level(): number {
    return this.#level;
  }

  /** Standard deviation of the level. */
  get doubt(): number {
    return Math.sqrt(this.#levelVariance);
  }

  /** So much has flowed in. */
  flow(amount: number, limit: number, now: number): void {
    this.#level += amount;
    if (this.#level < limit) return;
    this.#level = limit;
    this.#fullAt = now;
  }

  /** A request was sent; negative: one that was refused had not been taken. */
  send(needed: number): void {
    this.#level -= this.#share * needed;
    this.#levelVariance += needed * (needed * this.#shareVariance - 2 * this.#covariance);
    this.#levelVariance += Math.sign(needed) * (requestDoubt * needed) ** 2;
    this.#covariance -= needed * this.#shareVariance;
    this.#keepPossible();
  }

  /**
   * `remaining` were left at the time `at`; since then `flowed` have flowed in, and requests that need `since` were (or will
   * be) taken. `doubt`: standard deviation of this statement, mostly of `since`.
   */
  hear({ at, remaining, flowed, since, doubt }: Statement, limit: number): void {
    const said = remaining + flowed;
    if (this.#levelVariance === Number.POSITIVE_INFINITY) {
      this.#level = Math.min(limit, said) - this.#share * since;
      this.#levelVariance = doubt ** 2 + since ** 2 * this.#shareVariance;
      this.#covariance = -since * this.#shareVariance;
      return;
    }
    // It was full since: what flowed in is not known.
    if (at < this.#fullAt) return;
    const foretold = this.#level + this.#share * since;
    // Nothing left is all that a server in debt says.
    if (remaining <= 0 && foretold - flowed <= 0) return;
    this.#shareVariance += this.#drift ** 2;
    const level = this.#levelVariance + since * this.#covariance;
    const share = this.#covariance + since * this.#shareVariance;
    const variance = level + since * share + doubt ** 2;
    const miss = said - foretold;
    this.likelihood = 0.95 * this.likelihood - 0.5 * (miss ** 2 / variance + Math.log(variance));
    this.#level += (level / variance) * miss;
    this.#share = Math.min(5, Math.max(0.1, this.#share + (share / variance) * miss));
    this.#levelVariance -= level ** 2 / variance;
    this.#covariance -= (level * share) / variance;
    this.#shareVariance -= share ** 2 / variance;
    this.#keepPossible();
  }

  /** Rounding, and what refused requests took back, must not make a variance negative or a correlation more than whole. */
  #keepPossible(): void {
    this.#levelVariance = Math.max(1, this.#levelVariance);
    this.#shareVariance = Math.max(1e-6, this.#shareVariance);
    const most = 0.99 * Math.sqrt(this.#levelVariance * this.#shareVariance);
    this.#covariance = Math.min(most, Math.max(-most, this.#covariance));
  }
}

export interface Statement {
  at: number;
  remaining: number;
  flowed: number;
  since: number;
  doubt: number;
}
