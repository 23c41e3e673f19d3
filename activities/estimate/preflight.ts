/**
 * Preflight: the settings of a recipe in the hands of the engines' own parsers, in the jobs' environment, before anything is
 * paid for. All other settings have types of the recipe's schema, so parsers are asked only if the recipe passes arguments on
 * to LLaMA-Factory: loading it costs some ten seconds of a CPU.
 *
 * Side effects: none. A worker that is killed leaves at most an interpreter that ends by itself.
 */
import * as z from 'zod';
import { describeFault, describeFaults } from '../../domain/errors.ts';
import { orderJob } from '../../domain/job-order.ts';
import { firstAttempt } from '../../domain/jobs/job-spec.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { isJob, stageGraph } from '../../domain/stage-graph.ts';
import type { Surroundings } from '../../domain/stage-keys.ts';
import { parseJson } from '../../files/json.ts';
import { passing, refuse } from '../failure.ts';
import { attemptManifest } from '../jobs/attempts.ts';
import { askTrainer, type EngineSource, exitSchema } from '../store/engine.ts';

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
 * `ConfigInvalid` that names each field, its value and what was expected. Where this worker cannot run the environment
 * (`CRITIC_ENGINE_FILE`) nothing is checked.
 */
export async function checkSettings(
  plan: RunPlan,
  imported: Surroundings & { baseModel: { path: string } },
  { root, job }: Checking,
): Promise<void> {
  if (job.engineFile !== undefined || Object.keys(plan.recipe.sft.llamafactory).length === 0) return;
  const jobs = stageGraph(plan.recipe).filter(isJob);
  const attempts = jobs.map((node) => {
    // Parsers look at parameters; inputs are not there yet.
    const order = orderJob(node, plan, imported, () => ({ path: root, counts: {} }), { key: '', ingredients: {} });
    return {
      attempt: attemptManifest(order, 1, firstAttempt),
      directory: paths.attempt(root, plan.run, node.name, 1),
      base_model: plan.recipe.base_model,
      gpu: false,
    };
  });
  const stdout = await askTrainer(job.python, job.trainerSource, ['check'], JSON.stringify({ attempts })).catch(
    (error: unknown) => {
      const { code, stderr } = exitSchema.catch({ code: null, stderr: '' }).parse(error);
      if (typeof code !== 'number') throw passing('SystemError', `have "${job.python}" check the settings`, error);
      throw unusable(job.python, `exit ${code}: ${stderr.trimEnd().split('\n').at(-1) ?? ''}`);
    },
  );
  const answer = answerSchema.safeParse(parseJson(stdout));
  if (!answer.success) throw unusable(job.python, stdout);
  const faults = answer.data.faults.map((fault) => describeFault({ ...fault, field: `recipe.${fault.field}` }));
  if (faults.length > 0) throw refuse('ConfigInvalid', describeFaults(`recipe "${plan.recipe.name}"`, faults));
}

function unusable(python: string, got: string) {
  const expected = 'an interpreter whose engines can check settings';
  return refuse('ConfigInvalid', describeFault({ field: `CRITIC_PYTHON ("${python}")`, value: got, expected }));
}
