/**
 * Previews: the jobs that a run would submit, rendered as the run renders them, without making anything. The engines' own
 * settings are rendered in the jobs' environment, so an interpreter that this worker cannot run leaves them out, and a note
 * says so.
 *
 * Side effects: none. A worker that is killed leaves at most an interpreter that ends by itself.
 */
import * as z from 'zod';
import { describeFault } from '../../domain/errors.ts';
import type { JobPreview, Previews } from '../../domain/estimate/estimate.ts';
import { orderJob } from '../../domain/jobs/job-order.ts';
import { firstAttempt, type JobOrder, renderJobRequest } from '../../domain/jobs/job-spec.ts';
import { paths, type Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { Counts, JobNode } from '../../domain/stage-graph.ts';
import { parseJson } from '../../files/json.ts';
import { passing, refuse } from '../failure.ts';
import { attemptManifest } from '../jobs/attempts.ts';
import {
  askTrainer,
  byEnvironment,
  type EngineEnvironment,
  environmentOf,
  type EngineSource,
  exitOf,
} from '../store/environments.ts';
import type { PreparedRun } from '../store/imports.ts';

/** What previews are made from. `trainerSource` is a folder with `critic_trainer/`. */
export interface PreviewSources {
  plan: RunPlan;
  imported: PreparedRun;
  root: string;
  job: EngineSource & { trainerSource: string };
}

/** Keys and counts of all stages that can be foretold. */
export interface Upstream {
  keys: ReadonlyMap<Stage, string>;
  counts: ReadonlyMap<Stage, Counts>;
}

/** Previews of these jobs. `RecipeInvalid` if an engine cannot render the settings that the recipe asks for. */
export async function previewJobs(
  jobs: readonly JobNode[],
  { keys, counts }: Upstream,
  sources: PreviewSources,
): Promise<Previews> {
  const { plan, imported, job, root } = sources;
  const keyOf = (stage: Stage) => keys.get(stage) ?? '';
  const artifactOf = (stage: Stage) => ({
    path: paths.artifact(root, stage, keyOf(stage)),
    counts: counts.get(stage) ?? {},
  });
  const rendered = jobs.map((node) => {
    // Ingredients are in no request and in no manifest of an attempt.
    const order = orderJob(node, plan, imported, artifactOf, { key: keyOf(node.name), ingredients: {} });
    return { order, preview: previewOf(order, sources) };
  });
  const notes: string[] = [];
  const settings = new Map<string, JobPreview['settings']>();
  for (const { environment, items } of byEnvironment(rendered, ({ order }) => order.engine.name, job)) {
    if (environment.engineFile === undefined) {
      for (const [stage, values] of await askSettings(environment, items, sources)) settings.set(stage, values);
    } else {
      const file = environment.field === 'CRITIC_PYTHON' ? 'CRITIC_ENGINE_FILE' : `${environment.field}.engine_file`;
      notes.push(
        `The engines' settings are not shown or checked: ${file} is set, so ${environment.python} runs on nodes alone.`,
      );
    }
  }
  const filled = rendered.map(({ preview }) => ({ ...preview, settings: settings.get(preview.stage) ?? null }));
  return { jobs: filled, notes };
}

function previewOf(order: JobOrder, { root, job }: PreviewSources): JobPreview {
  const directory = paths.attempt(root, order.run, order.stage, 1);
  const environment = environmentOf(job, order.engine.name);
  const request = renderJobRequest(order, 1, firstAttempt, { environment, directory });
  const attempt = attemptManifest(order, 1, firstAttempt);
  return { stage: order.stage, request: { ...request }, attempt: { ...attempt }, settings: null };
}

const answerSchema = z.object({
  schema: z.literal(1),
  rendered: z.array(
    z.object({ stage: z.string(), file: z.string().regex(/^[\w.-]+$/), settings: z.record(z.string(), z.unknown()) }),
  ),
});

/** The engines' own settings by stage, as they would be on a node that has the GPUs of the recipe. */
async function askSettings(
  environment: EngineEnvironment,
  rendered: readonly { order: JobOrder; preview: JobPreview }[],
  { plan, job, root }: PreviewSources,
): Promise<Map<string, JobPreview['settings']>> {
  const attempts = rendered.map(({ order, preview }) => ({
    attempt: preview.attempt,
    directory: paths.attempt(root, order.run, order.stage, 1),
    base_model: plan.recipe.base_model,
    gpu: order.resources.gpus_per_node > 0,
  }));
  const { field, python } = environment;
  const stdout = await askTrainer(environment, job.trainerSource, ['render'], JSON.stringify({ attempts })).catch(
    (error: unknown) => {
      const { code, last } = exitOf(error);
      if (typeof code !== 'number') throw passing('SystemError', `ask "${python}" for the engines' settings`, error);
      throw refuse('RecipeInvalid', `recipe: the engines cannot render its settings: ${last}`);
    },
  );
  const answer = answerSchema.safeParse(parseJson(stdout));
  if (!answer.success) {
    const expected = 'an interpreter that renders settings';
    throw refuse('ConfigInvalid', describeFault({ field: `${field} ("${python}")`, value: stdout, expected }));
  }
  return new Map(answer.data.rendered.map(({ stage, file, settings }) => [stage, { file, values: settings }]));
}
