/** What Temporal's history of an experiment says: what it was started with, and its runs. No worker is needed to read it. */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import * as z from 'zod';
import type { Experiment, MemberView } from '../../../domain/experiment/experiment.ts';
import { type PackedExperiment, unpacked } from '../../../domain/experiment/packing.ts';
import { CliError } from '../../cli-error.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];
type Payloads = { payloads?: Parameters<typeof defaultPayloadConverter.fromPayload>[0][] | null } | null | undefined;

/** The worker has checked it when it began: only what is read here is looked at. */
const startedWith = z.custom<Experiment | PackedExperiment>(
  (value) =>
    z
      .looseObject({ name: z.string(), members: z.array(z.looseObject({ arm: z.string(), seed: z.number() })) })
      .safeParse(value).success,
);
const planOf = z.looseObject({ experiment: z.looseObject({ arm: z.string(), seed: z.number() }) });
const resultOf = z.looseObject({ passed: z.boolean(), mainScore: z.number().nullable() });

export interface Recorded {
  experiment: Experiment;
  /** In the order of the experiment's members; the last run of each. One whose run never began is pending. */
  members: MemberView[];
}

/** Throws a CliError if the history begins with something else than an experiment. */
export async function recordedOf(client: Client, id: string): Promise<Recorded> {
  const { events } = await client.workflow.getHandle(id).fetchHistory();
  const input = valueOf(events?.[0]?.workflowExecutionStartedEventAttributes?.input);
  const read = startedWith.safeParse(input);
  if (!read.success)
    throw new CliError(`experiment ${id}: expected what it was started with in its history, got something else`);
  const found = membersOf(events ?? []);
  const members = read.data.members.map(({ arm, seed }): MemberView => {
    return found.get(`${arm} ${seed}`) ?? { arm, seed, status: 'pending', run: null, mainScore: null };
  });
  return { experiment: unpacked(read.data), members };
}

/** By arm and seed. */
function membersOf(events: readonly HistoryEvent[]): Map<string, MemberView> {
  const begun = new Map<string, { arm: string; seed: number }>();
  const found = new Map<string, MemberView>();
  for (const event of events) {
    const asked = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (asked) {
      const plan = planOf.safeParse(valueOf(asked.input));
      if (plan.success) begun.set(String(event.eventId), plan.data.experiment);
      continue;
    }
    const [of, end] = childOf(event) ?? [];
    const member = begun.get(String(of?.initiatedEventId));
    if (member === undefined || end === undefined) continue;
    const { arm, seed } = member;
    const run = of?.workflowExecution?.workflowId ?? null;
    found.set(`${arm} ${seed}`, { arm, seed, run, mainScore: null, ...end });
  }
  return found;
}

type End = Pick<MemberView, 'status'> & Partial<Pick<MemberView, 'mainScore' | 'sentence'>>;
type Child = { initiatedEventId?: unknown; workflowExecution?: { workflowId?: string | null } | null };

/** What an event says of a run: which one, and how it stands since. */
function childOf(event: HistoryEvent): [Child, End] | undefined {
  const started = event.childWorkflowExecutionStartedEventAttributes;
  if (started) return [started, { status: 'running' }];
  const done = event.childWorkflowExecutionCompletedEventAttributes;
  if (done) return [done, endOf(valueOf(done.result))];
  const failed = event.childWorkflowExecutionFailedEventAttributes;
  if (failed) return [failed, { status: 'failed', sentence: innermost(failed.failure) }];
  const cancelled = event.childWorkflowExecutionCanceledEventAttributes;
  if (cancelled) return [cancelled, { status: 'cancelled', sentence: 'the run was cancelled' }];
  const terminated = event.childWorkflowExecutionTerminatedEventAttributes;
  if (terminated) return [terminated, { status: 'failed', sentence: 'the run was terminated' }];
  const late = event.childWorkflowExecutionTimedOutEventAttributes;
  if (late) return [late, { status: 'failed', sentence: 'the run timed out' }];
  return undefined;
}

function endOf(result: unknown): End {
  const { data } = resultOf.safeParse(result);
  if (data === undefined) return { status: 'failed', sentence: 'its result is of another release' };
  return { status: data.passed ? 'passed' : 'not-passed', mainScore: data.mainScore };
}

interface Failure {
  message?: string | null;
  cause?: Failure | null;
}

function innermost(failure: Failure | null | undefined): string {
  let last = failure;
  while (last?.cause) last = last.cause;
  return (last?.message ?? 'the run failed').slice(0, 500);
}

/** The first payload; undefined if there is none. */
function valueOf(given: Payloads): unknown {
  const [payload] = given?.payloads ?? [];
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload(payload);
}
