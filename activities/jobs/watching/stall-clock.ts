/**
 * Stall clock: how long a job that runs has written no new metrics row, as this process saw it. Only the time between two
 * looks that both found it running counts, and at most a few seconds of it: a controller that does not answer, a stopped worker or a
 * sleeping machine is no evidence against the job. A new watcher starts at zero.
 */
const longestLookSeconds = 5;

export class StallClock {
  readonly #now: () => number;
  #lastLook: number | undefined;
  #rows = 0;
  seconds = 0;

  /** `now` in milliseconds, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** One look: does Slurm say that it runs, and can its rows be read; and how many are there? Returns the seconds of silence so far. */
  look(running: boolean, rows: number): number {
    const now = this.#now();
    if (rows !== this.#rows || !running) this.seconds = 0;
    else if (this.#lastLook !== undefined)
      this.seconds += Math.min(longestLookSeconds, Math.max(0, now - this.#lastLook) / 1000);
    this.#rows = rows;
    this.#lastLook = running ? now : undefined;
    return this.seconds;
  }
}
