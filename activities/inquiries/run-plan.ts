/** The plan of a run, as `prepareRun` has written it beside the run. */
import * as z from 'zod';
import type { Inquiries } from '../../domain/inquiries.ts';
import { stageSchema } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { recipeSchema } from '../../domain/recipe.ts';
import { whenListed } from '../../files/fresh-look.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { refuse } from '../failure.ts';
import type { StoreDeps } from '../store/deps.ts';
import { type Answerer, runName } from './answerer.ts';

/** A plan is a recipe, of at most 64 KiB, and some names. */
const maxPlanBytes = 256 * 1024;

const planSchema: z.ZodType<RunPlan> = z.strictObject({
  schema: z.literal(1),
  run: runName,
  recipe: recipeSchema,
  resumes: runName.exactOptional(),
  anew: z.strictObject({ from: stageSchema, by: runName }).exactOptional(),
  night: z.strictObject({ name: z.string(), at: z.string() }).exactOptional(),
  owner: z.string().exactOptional(),
});

export function answerPlan({ store }: StoreDeps): Answerer<'plan'> {
  return {
    input: z.strictObject({ run: runName }),
    answer: ({ run }) => readPlan(store.root, run),
  };
}

/** Refuses (`DataInvalid`) a plan that this release cannot read. */
async function readPlan(root: string, run: string): Promise<Inquiries['plan']['reply']> {
  const name = `${paths.run(root, run).slice(root.length + 1)}/plan.json`;
  const text = await whenListed(root, name, (path) => readRegularText(path, maxPlanBytes), 0);
  if (text === undefined) return { plan: null };
  const parsed = planSchema.safeParse(parseJson(text));
  if (!parsed.success) throw refuse('DataInvalid', `the plan of run "${run}" in the store is of another release`);
  return { plan: parsed.data };
}
