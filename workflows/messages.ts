/**
 * Messages: queries and updates of a run. Their names and shapes are wire contracts; the CLI and the Temporal UI use them.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ExperimentView } from '../domain/experiment/experiment.ts';
import type { CaretakerSettings, Inquiry } from '../domain/inquiries.ts';
import type { OperatorAnswer } from '../domain/operator-answer.ts';
import type { PauseRequest, RunView, Trouble } from '../domain/jobs/progress.ts';

export const viewQuery = defineQuery<RunView>('view');
export const answerUpdate = defineUpdate<string, [OperatorAnswer]>('answer');
/** Changes for a job, whether its stage asks or is under way. */
export const retryUpdate = defineUpdate<string, [OperatorAnswer]>('retry');
export const pauseUpdate = defineUpdate<string, [PauseRequest?]>('pause');
export const unpauseUpdate = defineUpdate<string, [PauseRequest?]>('unpause');
/** From the worker: an activity of the run is tried again. */
export const troubleSignal = defineSignal<[Trouble]>('trouble');

/** Of the caretaker: an inquiry, answered by its reply; and how it works from now on. */
export const inquireUpdate = defineUpdate<unknown, [Inquiry]>('inquire');
export const settleSignal = defineSignal<[CaretakerSettings]>('settle');

/** Of an experiment: its runs and how they stand. */
export const experimentQuery = defineQuery<ExperimentView>('experiment');
