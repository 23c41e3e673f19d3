/** Synthesis logs: the two files in which a teacher's answers to one dataset are kept, opened together. */
import { join } from 'node:path';
import { log as activityLog } from '@temporalio/activity';
import { BatchLog } from './batches/log.ts';
import { SynthesisLog } from './log.ts';

export interface Logs {
  /** Outcomes of requests, `answers.jsonl`. */
  log: SynthesisLog;
  /** What is in batches, `batches.jsonl`. */
  batches: BatchLog;
}

/** Opens or creates both, repairs them, runs `work` with them and closes them. */
export async function withLogs<T>(folder: string, work: (logs: Logs) => Promise<T>): Promise<T> {
  const { log, ...faults } = await SynthesisLog.open(join(folder, 'answers.jsonl'));
  try {
    sayRepaired(folder, faults);
    const { batches, ...batchFaults } = await BatchLog.open(folder);
    try {
      sayRepaired(folder, batchFaults);
      return await work({ log, batches });
    } finally {
      await batches.close();
    }
  } finally {
    await log.close();
  }
}

function sayRepaired(folder: string, { unreadable, tornBytes }: { unreadable: number; tornBytes: number }): void {
  if (unreadable + tornBytes > 0) activityLog.warn('repaired a row log', { folder, unreadable, tornBytes });
}
