/** What a terminal shows when a run has ended. Pure. */

export interface Ending {
  /** The table of metrics, as the report's `summary.txt` has it. */
  summary: string;
  passed: boolean;
  reasons: readonly string[];
  /** Stages that were not run again. */
  reused: readonly string[];
  report: string;
  /** The run's page in the Temporal UI; undefined if no UI is configured. */
  ui: string | undefined;
}

/** Table, verdict with its reasons, what was reused, where the report and the history are. */
export function renderEnding({ summary, passed, reasons, reused, report, ui }: Ending): string[] {
  return [
    '',
    ...summary.trimEnd().split('\n'),
    '',
    `Gate: ${passed ? 'passed' : 'NOT passed'}`,
    ...reasons.map((reason) => `  ${reason}`),
    ...(reused.length === 0 ? [] : [`Reused, not run again: ${reused.join(', ')}`]),
    `Report:      ${report}`,
    ...(ui === undefined ? [] : [`Temporal UI: ${ui}`]),
  ];
}
