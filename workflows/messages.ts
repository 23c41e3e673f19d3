/**
 * Messages: queries and updates of a run. Their names and shapes are wire contracts; the CLI and the Temporal UI use them.
 */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { OperatorAnswer } from '../domain/operator-answer.ts';
import type { RunView } from '../domain/jobs/progress.ts';

export const viewQuery = defineQuery<RunView>('view');
export const answerUpdate = defineUpdate<string, [OperatorAnswer]>('answer');
