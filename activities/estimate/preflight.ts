/**
 * Preflight: the settings of a recipe in the hands of the engines' own parsers, in the jobs' environment, before anything is
 * paid for. What LLaMA-Factory, TRL and transformers are given has types of the recipe's schema, so their environment is asked only if the recipe
 * passes arguments on to LLaMA-Factory or asks for DeepSpeed: loading it costs some ten seconds of a CPU. The other engines are asked always.
 *
 * Side effects: none. A worker that is killed leaves at most an interpreter that ends by itself.
 */
import * as z from 'zod';
import { describeFault, describeFaults } from '../../domain/errors.ts';
import { orderJob } from '../../domain/jobs/job-order.ts';
import { firstAttempt } from '../../domain/jobs/job-spec.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { sftNeeded } from '../../domain/recipe/arms.ts';
import { isJob, type JobNode, stageGraph } from '../../domain/stage-graph.ts';
import type { Surroundings } from '../../domain/stage-keys.ts';
import { parseJson } from '../../files/json.ts';
import { passing, refuse } from '../failure.ts';
import { attemptManifest } from '../jobs/attempts.ts';
import { askTrainer, byEnvironment, type EngineEnvironment, type EngineSource, exitOf } from '../store/environments.ts';

/** `trainerSource` is a folder with `critic_trainer/`; `root` the store's. */
export interface Checking {
  root: string;
  job: EngineSource & { trainerSource: string };
}

const answerSchema = z.object({
  schema: z.literal(1),
  faults: z.array(z.object({ field: z.string(), value: z.unknown(), expected: z.string() })),
});

/**
 * `RecipeInvalid` that names each field, its value and what was expected. Where this worker cannot run an environment (its engine file is named)
 * nothing is checked.
 */
export async function checkSettings(
  plan: RunPlan,
  imported: Surroundings & { baseModel: { path: string } },
  { root, job }: Checking,
): Promise<void> {
  const jobs = stageGraph(plan.recipe).filter(isJob);
  const faults: string[] = [];
  for (const { environment, items } of byEnvironment(jobs, ({ engine }) => engine, job)) {
    if (environment.engineFile !== undefined || !items.some((node) => isDoubtful(node, plan))) continue;
    const attempts = items.map((node) => {
      // Parsers look at parameters; inputs are not there yet.
      const order = orderJob(node, plan, imported, () => ({ path: root, counts: {} }), { key: '', ingredients: {} });
      return {
        attempt: attemptManifest(order, 1, firstAttempt),
        directory: paths.attempt(root, plan.run, node.name, 1),
        base_model: plan.recipe.base_model,
        gpu: false,
      };
    });
    faults.push(...(await askFaults(environment, job.trainerSource, attempts)));
  }
  if (faults.length > 0) throw refuse('RecipeInvalid', describeFaults(`recipe "${plan.recipe.name}"`, faults));
}

/** Is there anything in the job's settings that the recipe's own schema has not checked? */
function isDoubtful({ engine }: JobNode, { recipe }: RunPlan): boolean {
  if (engine === 'llamafactory') {
    const { deepspeed, llamafactory } = sftNeeded(recipe);
    return deepspeed !== 'none' || Object.keys(llamafactory).length > 0;
  }
  return engine !== 'trl' && engine !== 'transformers';
}

async function askFaults(environment: EngineEnvironment, trainer: string, attempts: unknown[]): Promise<string[]> {
  const stdout = await askTrainer(environment, trainer, ['check'], JSON.stringify({ attempts })).catch(
    (error: unknown) => {
      const { code, last } = exitOf(error);
      if (typeof code !== 'number') {
        throw passing('SystemError', `have "${environment.python}" check the settings`, error);
      }
      throw unusable(environment, `exit ${code}: ${last}`);
    },
  );
  const answer = answerSchema.safeParse(parseJson(stdout));
  if (!answer.success) throw unusable(environment, stdout);
  return answer.data.faults.map((fault) => describeFault({ ...fault, field: `recipe.${fault.field}` }));
}

function unusable({ field, python }: EngineEnvironment, got: string) {
  const expected = 'an interpreter whose engines can check settings';
  return refuse('ConfigInvalid', describeFault({ field: `${field} ("${python}")`, value: got, expected }));
}
