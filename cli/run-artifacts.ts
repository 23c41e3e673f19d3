/** Which artifacts a run has made or reused so far: by the run's own view, which a worker answers for a run that is over too. And: is there such a run? */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { cut } from '../domain/errors.ts';
import type { RunPlan } from '../domain/plan.ts';
import { CliError } from './cli-error.ts';
import { inquire } from './inquire.ts';
import { findRun, queryView, type SeenRun, UnknownRun } from './run-handle.ts';
import { requireWorker } from './workers.ts';

/** Keys by stage. Empty where this Temporal has no such run, or has forgotten it. Throws a CliError where no worker answers. */
export async function artifactKeys(client: Client, run: string): Promise<Record<string, string>> {
  const found = await knownRun(client, run);
  if (found === undefined) return {};
  const view = await queryView(client, found.handle);
  if (view === undefined) {
    await requireWorker(client, found.cluster);
    throw new CliError(`run ${run}: no worker has said what it has made; "critic doctor --no-job" looks at workers`);
  }
  return Object.fromEntries(
    view.stages.flatMap(({ stage, artifact }) => {
      const key = /\/([0-9a-f]{32})$/.exec(artifact ?? '')?.[1];
      return key === undefined ? [] : [[stage, key]];
    }),
  );
}

async function knownRun(client: Client, run: string): Promise<SeenRun | undefined> {
  try {
    return await findRun(client, run);
  } catch (error) {
    if (error instanceof UnknownRun) return undefined;
    throw error;
  }
}

/** Whether there is one counts here. */
const anyPlan = z.object({ plan: z.custom<RunPlan>((value) => typeof value === 'object').nullable() });

/** Throws an UnknownRun if neither Temporal nor the store has a run of this id. For verbs that read what the store keeps of a run that Temporal has forgotten. */
export async function requireRun(client: Client, run: string): Promise<void> {
  if ((await knownRun(client, run)) !== undefined) return;
  const { plan } = await inquire(client, 'plan', { run }, anyPlan);
  if (plan !== null) return;
  throw new UnknownRun(
    `run "${cut(run)}": expected the id of a run, as "critic runs" prints it; neither Temporal nor the store has such a run`,
  );
}
