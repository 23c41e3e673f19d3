/**
 * runNight: one night of a schedule (docs/NIGHTS.md).
 *
 *   1. is it too late? The worker was away for longer than the night's catch-up
 *   2. its turn: if the night before goes on, this one is skipped, waits, or stops that one and takes over
 *   3. the recipe is read, and a run of it begins: a child that outlives this workflow, whatever becomes of it
 *   4. the run's end, or the deadline
 *   5. people are told, and the page of all nights is written
 *
 * A cancel of this workflow cancels the run. The schedule lets nights overlap, so that it is decided here, where people can be told.
 */
import {
  ActivityFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  isCancellation,
  ParentClosePolicy,
  startChild,
  TerminatedFailure,
  CancelledFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import {
  type EarlierNight,
  pausesSchedule,
  takesOver,
  type Night,
  type NightBeginning,
  type NightOutcome,
  type NightResult,
  type NightVerdict,
  type Tonight,
} from '../../domain/nights/night.ts';
import { nightTitle, skippedNotice, wrongNotice } from '../../domain/nights/night-notices.ts';
import { budgetMemo } from '../../domain/recipe/arms.ts';
import { stageGraph } from '../../domain/stage-graph.ts';
import { storeActivities, watchActivities } from '../activity-options.ts';
import type { RunResult } from '../conclude-run.ts';
import { isFailure } from '../failure.ts';
import { untilDeadline } from './night-deadline.ts';
import { writeNightsPage } from './nights-page.ts';
import { now, tell } from '../telling.ts';
import type { trainCritic } from '../train-critic.ts';

const scheduledKey = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);
const recipeKey = defineSearchAttributeKey('CriticRecipe', SearchAttributeType.KEYWORD);
const nightKey = defineSearchAttributeKey('CriticNight', SearchAttributeType.KEYWORD);
const ownerKey = defineSearchAttributeKey('CriticOwner', SearchAttributeType.KEYWORD);
const statusKey = defineSearchAttributeKey('CriticStatus', SearchAttributeType.KEYWORD);

export async function runNight(night: Night): Promise<NightResult> {
  const { startTime, typedSearchAttributes } = workflowInfo();
  const tonight = { night, at: (typedSearchAttributes.get(scheduledKey) ?? startTime).toISOString() };
  const result = await live(tonight);
  upsertSearchAttributes([{ key: statusKey, value: result.verdict }]);
  await writeNightsPage();
  return result;
}

async function live(tonight: Tonight): Promise<NightResult> {
  const { night } = tonight;
  const wrong = await faultOf(
    storeActivities.checkNight.executeWithOptions({ summary: 'is it well formed?' }, [{ night }]),
  );
  if (wrong !== undefined) return endWithoutRun(tonight, undefined, wrong);
  const { startTime } = workflowInfo();
  const minutes = Math.floor((Date.now() - startTime.getTime()) / 60_000);
  if (minutes >= night.catch_up_minutes) {
    const limit = `${night.catch_up_minutes} minutes are allowed`;
    return skip(tonight, `no worker took it up for ${minutes} minutes, and ${limit}`, []);
  }
  const turn = await takeTurn(tonight);
  if ('before' in turn) return skip(tonight, ...whyNot(turn.before));
  const begun = await begin(tonight, turn);
  if ('wrong' in begun) return endWithoutRun(tonight, turn, begun.wrong);
  const outcome = await untilDeadline(tonight, begun, outcomeOf(begun));
  return conclude(tonight, turn.number, begun, outcome);
}

/** How much later than planned Temporal itself begins a night at most; what begins later still was asked for by a person (a backfill). */
function isBackfilled({ night, at }: Tonight): boolean {
  const late = workflowInfo().startTime.getTime() - new Date(at).getTime();
  return late > (night.catch_up_minutes + night.jitter_minutes + 1) * 60_000;
}

interface TakenTurn {
  number: number;
  /** The run that was stopped for this night. */
  resumes?: string;
}

async function takeTurn(tonight: Tonight): Promise<TakenTurn | { before: EarlierNight }> {
  const { night, at } = tonight;
  const { workflowId: workflow } = workflowInfo();
  const overlap = isBackfilled(tonight) ? 'queue' : night.overlap;
  let stopped: { resumes?: string } = {};
  for (;;) {
    const answer = await storeActivities.takeNightTurn.executeWithOptions({ summary: 'is the night before over?' }, [
      { night: night.name, workflow, at, queues: overlap !== 'skip' },
    ]);
    if (answer.turn !== null) return { number: answer.turn, ...stopped };
    const { before } = answer;
    if (overlap === 'skip') return { before };
    if (overlap === 'take-over' && before.run !== null) {
      await watchActivities.stopRun.executeWithOptions({ summary: `checkpoint and end of ${before.run}` }, [
        { run: before.run, by: nightTitle(night.name, at), note: takesOver },
      ]);
      stopped = { resumes: before.run };
    }
    await watchActivities.awaitNightTurn.executeWithOptions({ summary: `until the night of ${before.at} is over` }, [
      { night: night.name, workflow, ...(overlap === 'take-over' ? { run: before.run } : {}) },
    ]);
  }
}

function whyNot({ at, run, status, workflow }: EarlierNight): [why: string, commands: string[]] {
  const who = `the night of ${at.slice(0, 16).replace('T', ' ')} UTC`;
  if (run === null) return [`${who} (workflow ${workflow}) still prepares its run`, []];
  if (status === 'waiting') return [`${who} waits for you: its run ${run} asks a question`, [`critic watch ${run}`]];
  return [`${who} still goes on: run ${run}`, [`critic watch ${run}`, `critic cancel ${run}`]];
}

/** A night with a run. */
interface Begun extends NightBeginning {
  child: Awaited<ReturnType<typeof startRun>>;
}

/** Reads the recipe and begins its run. If another run takes the id meanwhile, the next second's is taken. */
async function begin({ night, at }: Tonight, turn: TakenTurn): Promise<Begun | { wrong: string }> {
  const taken: string[] = [];
  for (;;) {
    const { number, ...stopped } = turn;
    const reading = storeActivities.beginNight.executeWithOptions({ summary: `read ${night.recipe}` }, [
      { night, at, turn: number, taken, ...stopped },
    ]);
    const wrong = await faultOf(reading);
    if (wrong !== undefined) return { wrong };
    const beginning = await reading;
    try {
      return { ...beginning, child: await startRun(night, beginning) };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      taken.push(beginning.plan.run);
    }
  }
}

async function startRun(night: Night, { plan, commit }: NightBeginning) {
  const { run, recipe, resumes } = plan;
  return startChild<typeof trainCritic>('trainCritic', {
    workflowId: run,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    args: [plan],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: `critic from recipe ${recipe.name}, seed ${recipe.seed}, night ${night.name}${resumes === undefined ? '' : `, resumes ${resumes}`}`,
    memo: {
      ...budgetMemo(recipe),
      ...(night.tell === undefined ? {} : { tell: night.tell }),
      ...(resumes === undefined ? {} : { resumes }),
      ...(commit === null ? {} : { commit }),
    },
    typedSearchAttributes: [
      { key: recipeKey, value: recipe.name },
      { key: nightKey, value: night.name },
      ...(night.owner === undefined ? [] : [{ key: ownerKey, value: night.owner }]),
    ],
  });
}

/** The message of an activity that refused. Undefined: it went well. */
async function faultOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return error.cause?.message ?? error.message;
  }
}

/** How the run ended. Throws if this night is cancelled. */
async function outcomeOf({ child, plan }: Begun): Promise<NightOutcome> {
  try {
    const { passed, reasons, reused }: RunResult = await child.result();
    const made = stageGraph(plan.recipe).filter(({ kind }) => kind !== 'gate' && kind !== 'report');
    const nothingNew = made.every(({ name }) => reused.includes(name));
    return { verdict: passed ? 'passed' : 'not-passed', sentence: reasons.join('; '), nothingNew };
  } catch (error) {
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    // Of a night that is cancelled itself, the run's end is its own too.
    if (CancellationScope.current().consideredCancelled) throw error;
    return { ...endOf(error.cause), nothingNew: false };
  }
}

function endOf(cause: Error | undefined): Pick<NightOutcome, 'verdict' | 'sentence'> {
  if (cause instanceof CancelledFailure) return { verdict: 'cancelled', sentence: 'the run was cancelled' };
  if (cause instanceof TerminatedFailure) return { verdict: 'failed', sentence: 'the run was terminated' };
  let last = cause;
  while (last?.cause instanceof Error && !isFailure(last)) last = last.cause;
  return { verdict: 'failed', sentence: last?.message ?? 'the run failed' };
}

async function conclude(tonight: Tonight, turn: number, { plan }: Begun, outcome: NightOutcome): Promise<NightResult> {
  const { night, at } = tonight;
  const { run } = plan;
  const { verdict, nothingNew } = outcome;
  await endTurn(tonight, turn, { run, verdict, nothingNew });
  const notice = await storeActivities.digestNight.executeWithOptions({ summary: 'what people are told' }, [
    { night, at, turn, run, recipe: plan.recipe, outcome },
  ]);
  await tell(notice);
  await pauseIfFailed(tonight, verdict, `run ${run}: ${outcome.sentence}`);
  return { night: night.name, at, ...outcome, run };
}

async function endWithoutRun(tonight: Tonight, turn: TakenTurn | undefined, why: string): Promise<NightResult> {
  const { night, at } = tonight;
  const ended = { run: null, verdict: 'wrong-recipe', nothingNew: false } as const;
  // A run that was stopped for tonight is not lost: the next night goes on from it.
  if (turn !== undefined) await endTurn(tonight, turn.number, { ...ended, run: turn.resumes ?? null });
  await tell(wrongNotice(night, at, now(), why));
  await pauseIfFailed(tonight, ended.verdict, why);
  return { night: night.name, at, ...ended, sentence: why };
}

async function skip({ night, at }: Tonight, why: string, commands: string[]): Promise<NightResult> {
  await tell(skippedNotice(night, at, now(), why, commands));
  return { night: night.name, at, verdict: 'skipped', sentence: why, run: null, nothingNew: false };
}

async function endTurn(
  { night }: Tonight,
  turn: number,
  end: { run: string | null; verdict: NightVerdict; nothingNew: boolean },
): Promise<void> {
  await storeActivities.endNight.executeWithOptions({ summary: end.verdict }, [{ night: night.name, turn, ...end }]);
}

async function pauseIfFailed({ night, at }: Tonight, verdict: NightVerdict, why: string): Promise<void> {
  if (!night.pause_on_failure || !pausesSchedule(verdict)) return;
  const note = `${nightTitle(night.name, at)} failed: ${why}`.slice(0, 500);
  await storeActivities.pauseNight.executeWithOptions({ summary: 'pause on failure' }, [{ night: night.name, note }]);
}
