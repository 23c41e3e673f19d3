/** Two evaluations beside each other. The statistics run in a thread of their own; nothing is written. */
import * as z from 'zod';
import { paths } from '../../domain/names.ts';
import { readEvaluation, readJudgedItems } from '../evaluation/evaluation-file.ts';
import { offLoop } from '../evaluation/off-loop.ts';
import type { StoreDeps } from '../store/deps.ts';
import { artifactKeySchema, type Answerer } from './answerer.ts';

export function answerCompare({ store }: StoreDeps): Answerer<'compare'> {
  return {
    input: z.strictObject({ ours: artifactKeySchema, theirs: artifactKeySchema, seed: z.int().min(0) }),
    answer: async ({ ours, theirs, seed }) => {
      const at = (key: string) => paths.artifact(store.root, 'evaluation', key);
      const rivals = [await readJudgedItems(at(theirs), 'grpo')];
      const [found] = await offLoop('comparison', { ours: await readJudgedItems(at(ours), 'grpo'), rivals, seed });
      return {
        ours: (await readEvaluation(at(ours))).models.grpo ?? {},
        theirs: (await readEvaluation(at(theirs))).models.grpo ?? {},
        estimate: found?.estimate ?? null,
        interval: found?.difference ?? null,
        paired: found?.paired ?? false,
      };
    },
  };
}
