/**
 * Level filter: an estimate of what is left in a bucket that fills at a known rate, and of what one sent token takes from it. It comes
 * from what the bucket's owner says now and then (a Kalman filter of two numbers; Kalman 1960). A statement is old when it arrives, and
 * requests overtake each other, so each statement counts only as much as it can be believed. Pure arithmetic.
 */
/** Standard deviations: how wrong a share of 1 may be at first, and how much it may change from answer to answer. */
const tokenDoubt = { share: 0.2, drift: 0.01 };
const noDoubt = { share: 0.001, drift: 0 };
/** Standard deviation of what one request takes, as a part of what it needs. */
const requestDoubt = 0.15;

export class LevelFilter {
  /** Tokens that are left, and tokens taken for each token sent. The second is 1 if a server counts as we do. */
  #level = 0;
  #share = 1;
  /** Their variances and covariance. */
  #levelVariance = Number.POSITIVE_INFINITY;
  #shareVariance: number;
  readonly #drift: number;
  #covariance = 0;
  #fullAt = Number.NEGATIVE_INFINITY;
  /** Log-likelihood of the latest statements: the higher, the better they were foretold. */
  likelihood = 0;

  /** `of`: a request takes one of `requests`. What it takes of `tokens` must be learnt. */
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

  /** This much has flowed in. */
  flow(amount: number, limit: number, now: number): void {
    this.#level += amount;
    if (this.#level < limit) return;
    this.#level = limit;
    this.#fullAt = now;
  }

  /** A request was sent. Negative: a refused request had taken nothing. */
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
    // It was full in between, so what flowed in is not known.
    if (at < this.#fullAt) return;
    const foretold = this.#level + this.#share * since;
    // A server in debt says only that nothing is left.
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

  /** Rounding and refused requests must not make a variance negative, or a correlation larger than 1. */
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
