/** How a command ends: its exit code, and one sentence for the person at the terminal if it could not do its work. */

/** What the exit codes of `critic` mean. They are a contract: scripts read them. docs/OPERATIONS.md has the same list. */
export const exitCodes = {
  /** The command has done its work. A run that was watched has passed the gate. */
  done: 0,
  /** The command could not do its work, or the run failed or was cancelled. */
  failed: 1,
  /** The run has ended and has not passed the gate. */
  notPassed: 2,
  /** The run waits for an operator, and `--fail-on-question` was given. */
  asksOperator: 3,
  /** Ctrl-C: the run goes on, and nobody watches it. */
  stoppedWatching: 130,
} as const;

/** A sentence for the person at the terminal, and an exit code. No stack is printed. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}
