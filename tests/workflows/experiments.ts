/** What tests of experiments share. */
import type { Experiment } from '../../domain/experiment/experiment.ts';
import { memberName } from '../../domain/experiment/experiment.ts';
import { plan } from './harness.ts';

/** An experiment with these arms and seeds, whose runs are called after it. */
export function experiment(name: string, arms: string[], fields: Partial<Experiment> = {}): Experiment {
  const { recipe } = plan('unused');
  const seeds = fields.seeds ?? [1];
  return {
    schema: 1,
    name,
    question: 'Which?',
    baseline: arms[0] ?? 'a',
    at_most: 2,
    arms: arms.map((arm) => ({ name: arm, set: {} })),
    seeds,
    members: seeds.flatMap((seed) =>
      arms.map((arm) => {
        return { arm, seed, recipe: { ...recipe, seed, name: memberName(name, arm, seed, seeds.length) } };
      }),
    ),
    directions: [],
    ...fields,
  };
}
