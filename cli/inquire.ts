/** An inquiry from the command line: what is asked of the store goes to the caretaker's workflow, so it works from any machine that reaches Temporal. */
import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import type * as z from 'zod';
import { caretakerId, type Cluster, clusterInWords } from '../domain/clusters.ts';
import { describeIssue, innermost } from '../domain/errors.ts';
import type { FailureType } from '../domain/failures.ts';
import type { Inquiries, InquiryName } from '../domain/inquiries.ts';
import { CliError } from './cli-error.ts';
import { chosenCluster, clusterOfRun } from './cluster.ts';
import { NobodyAnswers, updated } from './workers.ts';

/**
 * The reply to an inquiry, checked by its schema. The caretaker of the cluster of run `of` is asked, or where it is about no run, that of the chosen one. Throws
 * a CliError if it was refused, or after at most half a minute if nobody answers.
 */
export async function inquire<Name extends InquiryName>(
  client: Client,
  name: Name,
  input: Inquiries[Name]['input'],
  schema: z.ZodType<Inquiries[Name]['reply']>,
  of: string | undefined = runOf(input),
): Promise<Inquiries[Name]['reply']> {
  const cluster = of === undefined ? chosenCluster(client) : await clusterOfRun(client, of);
  return inquireOn(client, cluster, name, input, schema);
}

/** The same of the caretaker of this cluster. */
export async function inquireOn<Name extends InquiryName>(
  client: Client,
  cluster: Cluster,
  name: Name,
  input: Inquiries[Name]['input'],
  schema: z.ZodType<Inquiries[Name]['reply']>,
): Promise<Inquiries[Name]['reply']> {
  const { data, error } = schema.safeParse(await replyTo(client, { name, input }, cluster), { reportInput: true });
  if (data !== undefined) return data;
  const [issue] = error?.issues ?? [];
  const fault = issue === undefined ? '' : `: ${['reply', ...issue.path].join('.')}: ${describeIssue(issue)}`;
  throw new CliError(
    `the worker gave a reply to "${name}" that this release cannot read${fault}; if it is of another release: ${oneRelease}`,
  );
}

const oneRelease = 'start the worker of this one, or use the command of its own';

function runOf(input: object): string | undefined {
  const [, run] = Object.entries(input).find(([key]) => key === 'run') ?? [];
  return typeof run === 'string' ? run : undefined;
}

/** Of inquiries that change something: what a person may do if one is carried out after "nobody answers". */
const lateInquiry: { readonly [Name in InquiryName]?: string } = {
  gc: 'What was asked may still be done when one is back: "critic artifacts gc" then lists what is left',
  'artifact-pin': 'It may still be pinned when one is back: "critic artifacts unpin" then takes it back',
  'artifact-unpin': 'It may still be unpinned when one is back: "critic artifacts pin" then takes it back',
  'champion-promote':
    'It may still become champion when one is back, unless another one does before: "critic champion history" then tells, and "rollback" takes it back',
  'notice-retry': 'It may still be sent when one is back: "critic notices ls" then tells',
  'notice-test': 'It may still be sent when one is back: "critic notices ls" then tells',
};

/**
 * Does the worker not know the inquiry? Names of inquiries are this release's own, so it is of another. Workers of releases without `InquiryUnknown` refuse it
 * as `ConfigInvalid`: only their words tell.
 */
function isUnknown(cause: Error): boolean {
  if (cause instanceof ApplicationFailure && cause.type === ('InquiryUnknown' satisfies FailureType)) return true;
  return cause.message.startsWith('inquiry: expected one of ');
}

async function replyTo(
  client: Client,
  inquiry: { name: InquiryName; input: unknown },
  cluster: Cluster,
): Promise<unknown> {
  try {
    return await updated(
      client,
      { handle: client.workflow.getHandle(caretakerId(cluster)), cluster },
      { name: 'inquire', arg: inquiry, late: lateInquiry[inquiry.name] },
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      throw new NobodyAnswers(
        `nobody answers: no worker of this release has run ${cluster === undefined ? 'on' : `for ${clusterInWords(cluster)} on`} this Temporal server; start one`,
      );
    }
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const cause = innermost(error);
    throw new CliError(
      isUnknown(cause)
        ? `the worker is of another release: it does not know "${inquiry.name}"; ${oneRelease}`
        : cause.message,
    );
  }
}
