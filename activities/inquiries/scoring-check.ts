/** Can a scoring begin? Its critic stands, and the worker can open what it names. It only looks, and the scoring looks again when it begins. */
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import { mappingFileSchema } from '../../input/mapping-file.ts';
import { isFailure } from '../failure.ts';
import { lookUpCritic } from '../scoring/critic.ts';
import { unreachable } from '../scoring/reachable.ts';
import type { StoreDeps } from '../store/deps.ts';
import { type Answerer, runName } from './answerer.ts';

const path = z.string().startsWith('/', 'expected an absolute path').max(4096);

export function answerScoringCheck({ store }: StoreDeps): Answerer<'scoring-check'> {
  return {
    input: z.strictObject({
      purpose: z.enum(['score', 'evaluate']),
      critic: z.union([
        z.strictObject({ champion: runName, version: z.int().min(1).exactOptional() }),
        z.strictObject({ run: runName, stage: z.enum(['sft', 'grpo']) }),
      ]),
      pairs: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('pair'), source: path, edited: path, instruction: z.string() }),
        z.strictObject({ kind: z.literal('table'), path }),
        z.strictObject({ kind: z.literal('folder'), path, instruction: z.string().exactOptional() }),
      ]),
      mapping: mappingFileSchema.exactOptional(),
    }),
    answer: async (input) => {
      const faults = await unreachable(input);
      try {
        const { version } = await lookUpCritic(store, input.critic, Context.current().cancellationSignal);
        return { faults, ...(version === undefined ? {} : { version }) };
      } catch (error) {
        if (!isFailure(error) || error.type !== 'ConfigInvalid') throw error;
        return { faults: [error.message, ...faults] };
      }
    },
  };
}
