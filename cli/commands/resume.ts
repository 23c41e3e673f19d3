/**
 * `critic resume`: starts a run that goes on where another one ended without a verdict: from the last complete checkpoint of what was not finished. The
 * plan of the earlier run comes from the store, else from Temporal, by an inquiry.
 */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { isOpen as ofOpen } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { aName, aRun } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { requireSame } from '../cluster.ts';
import { inquire } from '../inquire.ts';
import { findRun, runType, UnknownRun } from '../run-handle.ts';
import { type Register, withClient } from '../shell.ts';
import { ownerOf, startRun, withRunOptions } from './run.ts';
import { follow, type FollowOptions } from './watch.ts';

/** The worker has checked the plan: only what is read here is looked at. */
const planReply = z.object({
  plan: z
    .custom<RunPlan>((value) => z.looseObject({ run: z.string(), recipe: z.looseObject({}) }).safeParse(value).success)
    .nullable(),
});

export interface ResumeInput {
  run: string;
  owner?: string;
  /** The Temporal server that had the run is gone for good: this one need not know it. */
  isLost?: boolean;
}

/** Starts the run that goes on, and returns its id. Throws a CliError for a run that goes on itself, has a verdict, or has no plan. */
export async function resume(client: Client, { run, owner, isLost = false }: ResumeInput): Promise<string> {
  await requireEnded(client, run, isLost);
  const sibling = await openSuccessor(client, run);
  if (sibling !== undefined) throw new CliError(`run ${run}: run ${sibling} resumes it already; watch that one`);
  // A run that a person resumes is not the night's any more (docs/NIGHTS.md).
  const { recipe, anew } = await planOf(client, run);
  return startRun(client, {
    recipe,
    resumes: run,
    ...(anew === undefined ? {} : { anew }),
    ...(owner === undefined ? {} : { owner }),
  });
}

/** The plan of a run that has ended, from the store. Throws a CliError if there is none. */
export async function planOf(client: Client, run: string): Promise<RunPlan> {
  const { plan } = await inquire(client, 'plan', { run }, planReply);
  if (plan !== null) {
    requireSame(client, run, plan.recipe);
    return plan;
  }
  throw new CliError(`run ${run}: expected a run whose plan is in the store, got none; start a new run of its recipe`);
}

async function requireEnded(client: Client, run: string, isLost: boolean): Promise<void> {
  try {
    const { status, isOpen } = await findRun(client, run);
    if (isOpen)
      throw new CliError(`run ${run}: expected one that has ended, got one that goes on: answer, unpause or cancel it`);
    if (status === 'COMPLETED')
      throw new CliError(`run ${run}: expected one that ended early, got one with a verdict: see "critic rerun"`);
  } catch (error) {
    if (!(error instanceof UnknownRun)) throw error;
    if (!isLost)
      throw new CliError(`${error.message}. If the Temporal server that had it is gone for good, add --lost`);
  }
}

/** An open run (or another workflow of this type) that resumes this one. Visibility lags by a second or two, so two people within that time may both start one. */
export async function openSuccessor(client: Client, run: string, type: string = runType): Promise<string | undefined> {
  const open = client.workflow.list({ query: `WorkflowType = '${type}' AND ${ofOpen}` });
  for await (const { workflowId, memo } of open) if (memo?.['resumes'] === run) return workflowId;
  return undefined;
}

interface ResumeOptions extends FollowOptions {
  owner?: string;
  lost?: true;
}

export const registerResume: Register = (program, shell) => {
  withRunOptions(program.command('resume'))
    .argument('<run>', 'a run that was cancelled, terminated or failed', aRun)
    .option('--owner <name>', 'whose run it is (default: you)', aName)
    .option('--lost', 'the Temporal server that had the run is gone for good, and so is the run')
    .description('start a run that goes on where another one ended, and watch it')
    .action((run: string, options: ResumeOptions) =>
      withClient(shell, async (client, { ui }) => {
        const input = { run, ...ownerOf(shell, options.owner), isLost: options.lost === true };
        await follow(shell, client, await resume(client, input), options, ui);
      }),
    );
};
