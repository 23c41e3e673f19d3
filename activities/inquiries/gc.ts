/** What of the store nobody needs, and its removal. */
import * as z from 'zod';
import { collectGarbage } from '../keeping/gc.ts';
import type { StoreDeps } from '../store/deps.ts';
import type { Answerer } from './answerer.ts';

export function answerGc({ store }: StoreDeps): Answerer<'gc'> {
  return {
    input: z.strictObject({
      apply: z.boolean(),
      freeBytes: z.number().positive().nullable(),
      resumableDays: z.number().min(0).max(3650),
      scoringDays: z.number().min(0).max(3650).exactOptional(),
    }),
    answer: (request) => collectGarbage(store, request),
  };
}
