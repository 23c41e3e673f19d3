/**
 * Roots: which runs still need something of the store, and which artifacts are needed at any age. Temporal says whether a run goes on and how it ended;
 * the store says which runs there were. It only reads. If something cannot be read, it throws, so that nothing is removed on half the truth.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';
import * as z from 'zod';
import { isOpen, isSafeName, nightScheduleId, paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { dayMs, type RootRun } from '../../domain/keeping/retention.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { forEachConcurrently } from '../bounded-concurrency.ts';
import { isFailure } from '../failure.ts';
import { readChampions } from '../gate/champion-file.ts';
import { lookAt } from '../nights/open-workflow.ts';
import { isNotFound, readPlan, startedWith } from '../resuming/run-plans.ts';
import { hasCode } from '../store/durable-file.ts';
import { readPins } from '../store/pins.ts';

/** A run with a folder in the store. */
interface StoredRun {
  run: string;
  plan: Pick<RunPlan, 'resumes' | 'night' | 'experiment'>;
  /** When its plan was written, ms. */
  since: number;
  end: { kind: 'open' } | { kind: 'verdict' } | { kind: 'early'; at: number };
}

export interface Roots {
  roots: RootRun[];
  /** Runs that are roots, and those that they resume. */
  runs: ReadonlySet<string>;
  /** Of champions, references and pins. */
  keys: ReadonlySet<string>;
}

/** At once. */
const questions = 8;

const resuming = z.looseObject({ resumes: z.string().optional() });

export async function findRoots(root: string, resumableDays: number): Promise<Roots> {
  const runs = await storedRuns(root);
  const resumed = new Set([...runs.values()].flatMap(({ plan }) => plan.resumes ?? []));
  const newest = await newestOfNights(runs);
  const experiments = await openExperiments(runs);
  const found = new Map<string, string>();
  for (const { run, end, plan } of runs.values()) {
    const night = newest.get(run);
    const experiment = plan.experiment?.id ?? '';
    if (end.kind === 'open') found.set(run, 'goes on');
    else if (end.kind === 'early' && !resumed.has(run) && Date.now() - end.at < resumableDays * dayMs)
      found.set(run, 'may be resumed');
    else if (night !== undefined) found.set(run, `is the newest of night ${night}`);
    else if (experiments.has(experiment)) found.set(run, `belongs to ${experiment}, which goes on`);
  }
  const all = new Set<string>();
  const roots = [...found].map(([run, why]) => {
    const chain = chainOf(runs, run);
    for (const one of chain) all.add(one.run);
    return { run, why, since: Math.min(...chain.map(({ since }) => since)) };
  });
  return { roots, runs: all, keys: new Set([...(await championKeys(root)), ...(await readPins(root)).keys()]) };
}

async function storedRuns(root: string): Promise<ReadonlyMap<string, StoredRun>> {
  const runs = new Map<string, StoredRun>();
  const begun = await openRuns();
  const names = [...(await namesIn(join(root, 'runs'))), ...begun.keys()].filter((name) => isSafeName(name));
  await forEachConcurrently([...new Set(names)], questions, async (run) => {
    const since = await sinceOf(root, run, begun);
    if (since !== undefined)
      runs.set(run, { run, plan: await planOf(root, run), since, end: await endOf(root, run, since) });
  });
  return runs;
}

/** When runs and scorings began that go on (ms): one that looks at its dataset or its pairs has no plan in the store yet, and may resume another one. */
async function openRuns(): Promise<ReadonlyMap<string, number>> {
  const { workflow } = Context.current().client;
  const begun = new Map<string, number>();
  for await (const { workflowId, startTime } of workflow.list({
    query: `WorkflowType IN ('trainCritic', 'scorePairs') AND ${isOpen}`,
  }))
    begun.set(workflowId, startTime.getTime());
  return begun;
}

/** When a run began, ms: its plan was written, or, where it has none, its first job. Undefined: it ended before it was prepared, and has taken nothing. */
async function sinceOf(root: string, run: string, begun: ReadonlyMap<string, number>): Promise<number | undefined> {
  const folder = paths.run(root, run);
  const planned = (await modifiedAt(join(folder, 'plan.json'))) ?? begun.get(run);
  if (planned !== undefined) return planned;
  // What is no run of a recipe has jobs and no plan, e.g. a chain of jobs.
  const jobs = [...(await namesIn(join(folder, 'jobs')))].map((stage) => join(folder, 'jobs', stage));
  const times = (await Promise.all(jobs.map(modifiedAt))).filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Of a plan that this release cannot read, and of a scoring, which begins with none: only what it resumes, as Temporal has it. */
async function planOf(root: string, run: string): Promise<StoredRun['plan']> {
  try {
    return (await readPlan(root, run)) ?? {};
  } catch (error) {
    if (!isFailure(error) || error.type !== 'DataInvalid') throw error;
    const { resumes } = resuming.safeParse(await startedWith(run)).data ?? {};
    return resumes === undefined ? {} : { resumes };
  }
}

/** A run that Temporal does not know has lost its server, or is older than the retention: it ended when it last made a folder. */
async function endOf(root: string, run: string, since: number): Promise<StoredRun['end']> {
  try {
    const { status, closeTime } = await Context.current().client.workflow.getHandle(run).describe();
    if (status.name === 'COMPLETED') return { kind: 'verdict' };
    const isOver = ['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'].includes(status.name);
    return isOver ? { kind: 'early', at: closeTime?.getTime() ?? Date.now() } : { kind: 'open' };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const folder = paths.run(root, run);
    if ((await modifiedAt(join(folder, 'report.html'))) !== undefined) return { kind: 'verdict' };
    const jobs = [...(await namesIn(join(folder, 'jobs')))].map((stage) => join(folder, 'jobs', stage));
    const times = await Promise.all([folder, ...jobs].map(modifiedAt));
    return { kind: 'early', at: Math.max(since, ...times.map((time) => time ?? 0)) };
  }
}

function chainOf(runs: ReadonlyMap<string, StoredRun>, run: string): StoredRun[] {
  const chain = new Set<StoredRun>();
  for (let one = runs.get(run); one !== undefined && !chain.has(one); one = runs.get(one.plan.resumes ?? ''))
    chain.add(one);
  return [...chain];
}

/** The newest run of each night whose schedule stands: the next night begins from what it made. */
async function newestOfNights(runs: ReadonlyMap<string, StoredRun>): Promise<ReadonlyMap<string, string>> {
  const newest = new Map<string, StoredRun>();
  for (const one of [...runs.values()].toSorted((a, b) => a.since - b.since)) {
    if (one.plan.night !== undefined && one.end.kind === 'verdict') newest.set(one.plan.night.name, one);
  }
  const found = new Map<string, string>();
  for (const [night, { run }] of newest) if (await isScheduled(night)) found.set(run, night);
  return found;
}

/** Experiments that go on: their report reads what all their runs have made. */
async function openExperiments(runs: ReadonlyMap<string, StoredRun>): Promise<ReadonlySet<string>> {
  const open = new Set<string>();
  const ids = new Set([...runs.values()].flatMap(({ plan }) => plan.experiment?.id ?? []));
  await forEachConcurrently([...ids], questions, async (id) => {
    if ((await lookAt(id)).isOpen) open.add(id);
  });
  return open;
}

async function isScheduled(night: string): Promise<boolean> {
  const { client } = Context.current();
  const scheduleId = nightScheduleId(night);
  try {
    await client.workflowService.describeSchedule({ namespace: client.options.namespace, scheduleId });
    return true;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return false;
  }
}

/** Of each name the champion, the one before it (for a rollback), and the reference. */
async function championKeys(root: string): Promise<string[]> {
  const signal = Context.current().cancellationSignal;
  const keys: string[] = [];
  const names = [...(await namesIn(join(root, 'champions')))].filter((one) => isSafeName(one));
  // Before there were versions, a champion was a file.
  for (const name of new Set(names.map((one) => one.replace(/(?:\.history)?\.jsonl?$/, '')))) {
    const champions = await readChampions(paths.champions(root, name), signal);
    for (const { model, evaluation, predictions, reference } of champions.slice(-2)) {
      const places = [model, evaluation, predictions, reference.model, reference.evaluation];
      keys.push(...places.map(({ key }) => key));
    }
  }
  return keys;
}

/** ms. Undefined if nothing is there. */
export async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
