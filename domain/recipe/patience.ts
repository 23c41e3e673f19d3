/** `retries` and `watch` of a recipe: what follows a failed attempt, and when a running job counts as stuck. */
import * as z from 'zod';
import { failureClasses } from '../names.ts';
import { positiveInt } from './fields.ts';

const rule = z
  .strictObject({
    retries: z
      .int()
      .min(0)
      .max(1000)
      .describe('Times that this class is retried; 0 asks the operator at once. Whole number, 0 to 1000; optional.'),
    resume: z.boolean().describe('Does the next attempt resume from the newest checkpoint? true or false; optional.'),
    exclude_node: z.boolean().describe('Does the next attempt avoid the node? true or false; optional.'),
    counted: z.boolean().describe('Does such an attempt count against max_attempts? true or false; optional.'),
    needs_progress: z
      .boolean()
      .describe('Do two such attempts without progress ask the operator? true or false; optional.'),
  })
  .partial();

export const retries = z
  .strictObject({
    max_attempts: positiveInt
      .max(50)
      .default(6)
      .describe('Attempts without progress before the operator is asked. Whole number, 1 to 50; default 6.'),
    policy: z
      .partialRecord(z.enum(failureClasses), rule)
      .default({})
      .describe(
        'What follows each class of failure, where it differs from domain/jobs/failure-policy.ts; default none.',
      ),
  })
  .describe('What follows a failed attempt; default as its fields say.');

export const watch = z
  .strictObject({
    stall_factor: z
      .number()
      .min(2)
      .max(1000)
      .default(10)
      .describe(
        'A job is stuck without a new metrics row for this many times its own median row. Factor, 2 to 1000; default 10.',
      ),
    stall_seconds: positiveInt
      .default(600)
      .describe(
        'A job is not stuck before this time without a row: evaluations and checkpoints write none. Seconds, at least 1; default 600.',
      ),
    first_row_seconds: positiveInt
      .default(3600)
      .describe(
        'The limit before there are two rows: a 7B model loads for many minutes. Seconds, at least 1; default 3600.',
      ),
    checkpoint_seconds: positiveInt
      .default(180)
      .describe(
        'A job is asked to checkpoint this long before its time limit; a step and a checkpoint must fit. Seconds, at least 1; default 180.',
      ),
    health: z
      .enum(['warn', 'ask', 'stop'])
      .optional()
      .describe(
        'What follows two signs of a sick GRPO while it runs: warn tells people, ask also checkpoints and asks, stop ends the run; optional, else warn.',
      ),
  })
  .describe('When a running job is stuck and when it is asked to checkpoint; default as its fields say.');
export type WatchSettings = z.output<typeof watch>;
