/** Plans of runs: as `prepareRun` has written them beside the run, else as Temporal has them. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Context } from '@temporalio/activity';
import { defaultPayloadConverter, WorkflowNotFoundError } from '@temporalio/common';
import * as z from 'zod';
import { stageSchema } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { recipeSchema } from '../../domain/recipe.ts';
import { whenListed } from '../../files/fresh-look.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { refuse } from '../failure.ts';
import { runName } from '../inquiries/answerer.ts';
import { readIfPresent, writeFileAtomic } from '../store/durable-file.ts';

/** A plan is a recipe, of at most 64 KiB, and some names. */
const maxPlanBytes = 256 * 1024;

const planSchema: z.ZodType<RunPlan> = z.strictObject({
  schema: z.literal(1),
  run: runName,
  recipe: recipeSchema,
  resumes: runName.exactOptional(),
  anew: z.strictObject({ from: stageSchema, by: runName }).exactOptional(),
  night: z.strictObject({ name: z.string(), at: z.string() }).exactOptional(),
  experiment: z.strictObject({ id: z.string(), arm: z.string(), seed: z.int() }).exactOptional(),
  owner: z.string().exactOptional(),
});

/** The run's plan. Null: neither store nor Temporal knows the run. Refuses (`DataInvalid`) a plan that this release cannot read. */
export async function readPlan(root: string, run: string): Promise<RunPlan | null> {
  const name = `${paths.run(root, run).slice(root.length + 1)}/plan.json`;
  const text = await whenListed(root, name, (path) => readRegularText(path, maxPlanBytes), 0);
  // A run that ended before it was prepared has left nothing in the store.
  const found = text === undefined ? await startedWith(run) : parseJson(text);
  if (found === undefined) return null;
  const parsed = planSchema.safeParse(found);
  if (!parsed.success) throw refuse('DataInvalid', `the plan of run "${run}" is of another release`);
  return parsed.data;
}

/**
 * Writes the plan beside its run. Where one stands already, `isOwn` says whether it is of this very run, which is begun again after a kill or a reset. Refuses
 * (`ConfigInvalid`) the id of another run: its plan and jobs would be taken for those of this one. Replaced atomically, so a kill leaves the old one or the new.
 */
export async function writePlan(
  root: string,
  plan: RunPlan,
  isOwn: (kept: unknown) => Promise<boolean>,
): Promise<void> {
  const path = join(paths.run(root, plan.run), 'plan.json');
  const text = `${JSON.stringify(plan, null, 2)}\n`;
  await mkdir(dirname(path), { recursive: true });
  const kept = await readIfPresent(path);
  if (kept !== undefined && kept !== text && !(await isOwn(parseJson(kept))))
    throw refuse(
      'ConfigInvalid',
      `id: expected one that no run or scoring has had, got "${plan.run}", which has a plan`,
    );
  await writeFileAtomic(path, text);
}

/** What the workflow was started with: the input in the first event of its history. Undefined: Temporal does not have it. */
export async function startedWith(run: string): Promise<unknown> {
  const { client } = Context.current();
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId: run },
      maximumPageSize: 1,
    });
    const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    return payload === undefined ? undefined : defaultPayloadConverter.fromPayload(payload);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || isNotFound(error)) return undefined;
    throw error;
  }
}

/** gRPC's NOT_FOUND. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 5;
}
