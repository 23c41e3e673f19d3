/**
 * Messages: queries and updates of a run. Their names and shapes are wire contracts; the CLI and the Temporal UI use them.
 */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { Stage } from '../domain/names.ts';
import type { RunView } from '../domain/progress.ts';

/** An operator's answer to a waiting run. `retry` may change what the next attempt gets. */
export interface OperatorAnswer {
  stage: Stage;
  action: 'retry' | 'skip' | 'abort';
  /** Only with `retry`. Names of nodes not to use, more minutes, more memory. */
  excludeNodes?: string[];
  timeLimitMinutes?: number;
  memoryFactor?: number;
  /** Only with `retry` of synthesis: the new cap, USD. */
  budgetUsd?: number;
  /** Who answered, for the history. */
  by?: string;
}

export const viewQuery = defineQuery<RunView>('view');
export const answerUpdate = defineUpdate<string, [OperatorAnswer]>('answer');
