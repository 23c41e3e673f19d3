/** The result of a run with a verdict: what is read of it, and how people see it. */
import * as z from 'zod';
import { stageSchema } from '../../domain/manifest.ts';
import { cleanLines, fitted } from './run-text.ts';

export const runResult = z.object({
  passed: z.boolean(),
  reasons: z.array(z.string()),
  /** MainScore of the candidate in [−1, 1]. Null if it could not be computed. */
  mainScore: z.number().nullable(),
  /** Path of `report.html` as the worker sees it. */
  report: z.string(),
  /** The table of metrics, in lines. Empty for a run of a release whose results had none. */
  summary: z.string().default(''),
  /** Stages that were not run again. */
  reused: z.array(stageSchema),
});
export type RunResult = z.output<typeof runResult>;

/** Verdict with its reasons, what was reused, and where report and history are. Paths and addresses are whole, whatever the width. */
export function verdictLines(
  { passed, reasons, reused, report }: Omit<RunResult, 'summary'>,
  page: string | undefined,
  width = Infinity,
): string[] {
  return [
    `Gate: ${passed ? 'passed' : 'NOT passed'}`,
    ...reasons.flatMap(cleanLines).flatMap((reason) => fitted(`  ${reason}`, width)),
    ...(reused.length === 0 ? [] : fitted(`Reused, not run again: ${reused.join(', ')}`, width)),
    `Report:      ${report}`,
    ...(page === undefined ? [] : [`Temporal UI: ${page}`]),
  ];
}
