/** The plan of a run, as `prepareRun` has written it beside the run, else as Temporal has it. */
import * as z from 'zod';
import { readPlan } from '../resuming/run-plans.ts';
import type { StoreDeps } from '../store/deps.ts';
import { type Answerer, runName } from './answerer.ts';

export function answerPlan({ store }: StoreDeps): Answerer<'plan'> {
  return {
    input: z.strictObject({ run: runName }),
    answer: async ({ run }) => ({ plan: await readPlan(store.root, run) }),
  };
}
