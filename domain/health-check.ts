/** Checks of what a run needs: by the CLI of Temporal, by the worker of store, Slurm, environments and teacher. `critic doctor` shows them. */

export interface HealthCheck {
  /** What was looked at, in a word or two. */
  what: string;
  /** `note`: neither good nor bad by itself. */
  state: 'good' | 'problem' | 'note';
  /** One line: what was found; of a problem also what is expected. */
  sentence: string;
}
