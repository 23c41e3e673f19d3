/**
 * runExperiment: all runs of an experiment, then its report (docs/EXPERIMENTS.md).
 *
 *   1. a run for each arm and seed, a few at once: children that outlive this workflow, whatever becomes of it. What two arms share is made once: the runs
 *      themselves see to that, like any two runs (`activities/store/makers.ts`)
 *   2. a run that fails is said in the report; the others go on
 *   3. the report, from what the runs have made: their artifacts are noted at each end
 *
 * A cancel of this workflow cancels its runs. It holds nothing that is not in its history, so a kill -9 of its worker changes nothing.
 */
import {
  ActivityFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  TemporalFailure,
  TerminatedFailure,
  CancelledFailure,
  workflowInfo,
} from '@temporalio/workflow';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import type {
  EndedMember,
  Experiment,
  ExperimentResult,
  ExperimentView,
  Member,
  MemberView,
} from '../domain/experiment/experiment.ts';
import { experimentNotice } from '../domain/experiment/notice.ts';
import { type PackedExperiment, unpacked } from '../domain/experiment/packing.ts';
import { runId } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import { budgetMemo } from '../domain/recipe/arms.ts';
import { storeActivities } from './activity-options.ts';
import type { RunResult } from './conclude-run.ts';
import { isFailure } from './failure.ts';
import { experimentQuery } from './messages.ts';
import { now, tell } from './telling.ts';
import type { trainCritic } from './train-critic.ts';

const recipeKey = defineSearchAttributeKey('CriticRecipe', SearchAttributeType.KEYWORD);
const ownerKey = defineSearchAttributeKey('CriticOwner', SearchAttributeType.KEYWORD);

/** `given` is packed; earlier releases gave it whole. */
export async function runExperiment(given: Experiment | PackedExperiment): Promise<ExperimentResult> {
  const experiment = unpacked(given);
  const { workflowId: id, runId: execution } = workflowInfo();
  const { name, members, at_most: most, question } = experiment;
  const ended = members.map((): EndedMember['artifacts'] => ({}));
  const views = members.map(({ arm, seed }): MemberView => ({
    arm,
    seed,
    status: 'pending',
    run: null,
    mainScore: null,
  }));
  const view: ExperimentView = { id, name, status: 'running', members: views };
  const show = (status: ExperimentView['status'] = view.status) => {
    view.status = status;
    setCurrentDetails(detailsOf(view, question));
  };
  setHandler(experimentQuery, () => view, { description: 'the runs of the experiment and how they stand' });
  show();
  try {
    await fewAtOnce(members, most, async (member, index) => {
      const own = views[index];
      if (own === undefined) return;
      await live(experiment, member, own, show);
      if (own.status === 'passed' || own.status === 'not-passed') ended[index] = await artifactsOf(own);
    });
    show('reporting');
    const { members: _recipes, ...facts } = experiment;
    const { path, summary } = await storeActivities.writeExperimentReport.executeWithOptions(
      { summary: 'paired differences, plots, costs' },
      [{ id, experiment: facts, members: views.map((one, index) => ({ ...one, artifacts: ended[index] ?? {} })) }],
    );
    const result: ExperimentResult = { id, report: path, summary, members: views };
    await tell(experimentNotice(result, { part: execution.slice(0, 8), at: now() }, question));
    show('done');
    return result;
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) show('cancelled');
    // A bug fails the workflow's task: a mended worker goes on here.
    else if (error instanceof TemporalFailure) show('failed');
    throw error;
  }
}

/** Works on all, `most` at once, in their order. If one throws, no further one is begun, and those that are under way are awaited. */
async function fewAtOnce<T>(items: readonly T[], most: number, work: (item: T, index: number) => Promise<void>) {
  const left = [...items.entries()];
  let failure: { error: unknown } | undefined;
  const lane = async () => {
    for (let next = left.shift(); next !== undefined && failure === undefined; next = left.shift()) {
      try {
        await work(next[1], next[0]);
      } catch (error) {
        // A bug fails the workflow's task at once: a mended worker goes on here.
        if (!(error instanceof TemporalFailure)) throw error;
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: most }, lane));
  if (failure !== undefined) throw failure.error;
}

/** One run from its beginning to its end. Throws only if the experiment is cancelled. */
async function live(experiment: Experiment, member: Member, own: MemberView, show: () => void): Promise<void> {
  const child = await begin(experiment, member);
  own.run = child.workflowId;
  own.status = 'running';
  show();
  try {
    const { passed, mainScore }: RunResult = await child.result();
    own.status = passed ? 'passed' : 'not-passed';
    own.mainScore = mainScore;
  } catch (error) {
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    const { status, sentence } = endOf(error.cause);
    own.status = status;
    own.sentence = sentence;
    if (CancellationScope.current().consideredCancelled) throw error;
  }
  show();
}

/** At once: Temporal may forget the run before the last one has ended. */
async function artifactsOf(own: MemberView): Promise<EndedMember['artifacts']> {
  const { run } = own;
  if (run === null) return {};
  try {
    const summary = `what ${run} has made`;
    return keysOf(await storeActivities.findRunArtifacts.executeWithOptions({ summary }, [{ run }]));
  } catch (error) {
    if (!(error instanceof ActivityFailure) || CancellationScope.current().consideredCancelled) throw error;
    own.sentence = 'what it has made could not be found';
    return {};
  }
}

/** An artifact's folder is called after its key: paths of 64 runs are more than a payload is to hold. */
function keysOf(folders: EndedMember['artifacts']): EndedMember['artifacts'] {
  return Object.fromEntries(Object.entries(folders).map(([stage, path]) => [stage, path?.split('/').at(-1)]));
}

/** Begins the run under the id of this second. If another workflow has it, that of the next one is taken. */
async function begin(experiment: Experiment, member: Member) {
  for (let at = Date.now(); ; at += 1000) {
    try {
      return await startRun(experiment, member, runId(member.recipe.name, new Date(at)));
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

async function startRun({ name, owner }: Experiment, { arm, seed, recipe, resumes }: Member, run: string) {
  const { workflowId: id } = workflowInfo();
  const plan: RunPlan = {
    schema: 1,
    run,
    recipe,
    experiment: { id, arm, seed },
    ...(resumes === undefined ? {} : { resumes }),
    ...(owner === undefined ? {} : { owner }),
  };
  return startChild<typeof trainCritic>('trainCritic', {
    workflowId: run,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    args: [plan],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: `experiment ${name}: arm ${arm}, seed ${seed}`,
    memo: {
      ...budgetMemo(recipe),
      experiment: id,
      ...(resumes === undefined ? {} : { resumes }),
    },
    typedSearchAttributes: [
      { key: recipeKey, value: recipe.name },
      ...(owner === undefined ? [] : [{ key: ownerKey, value: owner }]),
    ],
  });
}

function endOf(cause: Error | undefined): { status: 'cancelled' | 'failed'; sentence: string } {
  if (cause instanceof CancelledFailure) return { status: 'cancelled', sentence: 'the run was cancelled' };
  if (cause instanceof TerminatedFailure) return { status: 'failed', sentence: 'the run was terminated' };
  let last = cause;
  while (last?.cause instanceof Error && !isFailure(last)) last = last.cause;
  return { status: 'failed', sentence: (last?.message ?? 'the run failed').slice(0, 500) };
}

/** For the Temporal UI. */
function detailsOf({ status, members }: ExperimentView, question: string): string {
  const rows = members.map(({ arm, seed, status: how, run, mainScore }) => {
    return `| ${arm} | ${seed} | ${how} | ${run ?? ''} | ${mainScore?.toFixed(3) ?? ''} |`;
  });
  return [
    question,
    `**${status}**`,
    '| arm | seed | status | run | MainScore |\n| --- | --- | --- | --- | --- |',
    ...rows,
  ]
    .join('\n\n')
    .replaceAll('|\n\n|', '|\n|');
}
