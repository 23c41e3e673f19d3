/** `critic plan`: what a run of a recipe would reuse, ask, cost and take. Nothing is spent. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { queueOf } from '../../domain/clusters.ts';
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import { stageSchema } from '../../domain/manifest.ts';
import type { Recipe } from '../../domain/recipe.ts';
import type { planRun } from '../../workflows/plan-run.ts';
import { aPath, wholeNumber } from '../arguments.ts';
import { onCluster, requireServed } from '../cluster.ts';
import { renderPlan } from '../views/plan-view.ts';
import { writeConfigs } from '../views/plan-configs.ts';
import { readRecipe } from '../../input/recipe-file.ts';
import { resultOf, withFreeId } from '../run-handle.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { requireWorker, whileWorkersAsk } from '../workers.ts';

const count = z.number();
const kill = z.object({
  saveSteps: count,
  stepSeconds: count.nullable(),
  alsoAtLimit: z.boolean(),
  allowedMinutes: count.nullable(),
});
const job = z.object({
  steps: count.nullable(),
  rows: count.nullable(),
  seconds: z.number().nullable(),
  gpuHours: z.object({ expected: z.number().nullable(), atMost: z.number() }),
  measuredIn: z.string().nullable(),
  kill: kill.exactOptional(),
});
const synthesis = z.object({
  rows: count,
  answered: count,
  tokens: z.object({ input: count, images: count, output: count }),
  usd: z.object({ expected: z.number(), atMost: z.number(), spent: z.number(), cap: z.number() }),
});
const stage = z.object({
  stage: stageSchema,
  action: z.enum(['reuse', 'make']),
  key: z.string(),
  job: job.exactOptional(),
  synthesis: synthesis.exactOptional(),
});
const json = z.record(z.string(), z.unknown());
const preview = z.object({
  stage: stageSchema,
  request: json,
  attempt: json,
  settings: z.object({ file: z.string().regex(/^[\w.-]+$/), values: json }).nullable(),
});
const training = z.object({
  stage: stageSchema,
  parameters: count,
  size: z.object({ checkpoint: count, model: count, checkpoints: count }),
});
const estimate = z.object({
  schema: z.literal(1),
  recipe: z.string(),
  /** Rows by split. */
  dataset: z.record(z.string(), count),
  stages: z.array(stage),
  previews: z.object({ jobs: z.array(preview), notes: z.array(z.string()) }).exactOptional(),
  disk: z.object({ free: count, jobs: z.array(training) }).exactOptional(),
});

export const planView: View<RunEstimate> = { schema: estimate, lines: (value) => renderPlan(value) };

/** What a run of this recipe would take. Throws a CliError that says what is wrong with its dataset or base model. */
export async function plan(client: Client, recipe: Recipe): Promise<RunEstimate> {
  await requireServed(client, recipe.cluster);
  await requireWorker(client, recipe.cluster);
  const handle = await withFreeId(recipe, new Date(), async (runPlan) =>
    client.workflow.start<typeof planRun>('planRun', {
      workflowId: `plan-${runPlan.run}`,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      taskQueue: queueOf('workflows', recipe.cluster),
      args: [runPlan],
      staticSummary: `estimate of recipe ${recipe.name}`,
      searchAttributes: { CriticRecipe: [recipe.name] },
    }),
  );
  return whileWorkersAsk(client, recipe.cluster, resultOf(handle, estimate));
}

interface PlanOptions extends ViewOptions {
  dataset?: string;
  seed?: number;
  configs?: string;
}

export const registerPlan: Register = (program, shell) => {
  program
    .command('plan')
    .argument('<recipe>', 'the recipe, a YAML file', aPath)
    .option('--dataset <folder>', 'the dataset, instead of the recipe’s', aPath)
    .option('--seed <n>', 'seed of the training, instead of the recipe’s', wholeNumber)
    .option(
      '--configs <folder>',
      'write job requests, attempts and engine settings there, by stage, instead of printing them',
      aPath,
    )
    .option('--json', 'print the estimate as JSON')
    .description('say what a run would reuse, ask, cost and take; nothing is spent')
    .action(async (path: string, options: PlanOptions) => {
      const recipe = await readRecipe(path, { dataset: options.dataset, seed: options.seed });
      const value = await withClient(shell, (client) => plan(client, onCluster(client, recipe)));
      if (options.configs !== undefined) await writeConfigs(value.previews?.jobs ?? [], options.configs);
      const view = { ...planView, lines: (shown: RunEstimate) => renderPlan(shown, options.configs) };
      shell.stdout.write(`${textOf(view, value, options)}\n`);
    });
};
