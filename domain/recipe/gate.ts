/** `gate` of a recipe: when a critic becomes champion. */
import * as z from 'zod';
import { fraction, name, runName } from './fields.ts';

export const gate = z
  .strictObject({
    champion: name.describe(
      'Name under which champions follow each other. 1 to 24 of letters, digits, ".", "_", "-"; required.',
    ),
    min_readable: fraction
      .default(0.95)
      .describe('Share of test pairs whose answer must be readable. Fraction, 0 to 1; default 0.95.'),
    min_main_score: z.number().min(-1).max(1).describe('MainScore that must be reached. MainScore, -1 to 1; required.'),
    margin: z
      .number()
      .min(0)
      .max(2)
      .default(0.03)
      .describe(
        'How far below the champion and the reference the 95 % interval of the difference may reach. MainScore, 0 to 2; default 0.03.',
      ),
    reference: runName
      .optional()
      .describe(
        'Run of an earlier champion that is to be the reference; optional, else the newest champion that was shown to be better than its reference.',
      ),
  })
  .describe('When a critic becomes champion; required.');
