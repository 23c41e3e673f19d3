/**
 * The digest of a night, from what its run has left: its view, its artifacts, its attempts and its estimate. It only reads. A part that cannot be read is left
 * out and named: the digest must come whatever is broken.
 */
import { Context } from '@temporalio/activity';
import { whyNoMainScore } from '../../domain/evaluation/evaluation.ts';
import type { RunView } from '../../domain/jobs/progress.ts';
import { isJobStage, paths, type Stage } from '../../domain/names.ts';
import { type Night, type NightOutcome, takesOver } from '../../domain/nights/night.ts';
import { type AttemptHours, type Digested, digestNotice, type Rivalry } from '../../domain/nights/night-digest.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { jobPlacement } from '../../domain/plan.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { readEstimate } from '../estimate/estimate-file.ts';
import { readEvaluation, readJudgedItems } from '../evaluation/evaluation-file.ts';
import { offLoop } from '../evaluation/off-loop.ts';
import { readChampions } from '../gate/champion-file.ts';
import { heartbeating } from '../heartbeating.ts';
import { findOutcome } from '../jobs/attempt-files.ts';
import { digestOf, writeDigest } from '../pages/night-files.ts';
import { readManifest } from '../store/artifact-store.ts';
import type { StoreDeps } from '../store/deps.ts';
import { Turns } from './turns.ts';

export interface DigestRequest {
  night: Night;
  at: string;
  turn: number;
  run: string;
  recipe: Recipe;
  outcome: NightOutcome;
}

export function createDigestActivities({ store }: StoreDeps) {
  return {
    async digestNight(request: DigestRequest): Promise<Notice> {
      const { night, at } = request;
      return heartbeating('digesting', async () =>
        digestNotice(night, at, new Date().toISOString(), await kept(store.root, request)),
      );
    },
  };
}

/** What is known of the night, after it was kept for nights.html. That people are told does not depend on that. */
async function kept(root: string, request: DigestRequest): Promise<Digested> {
  const { night, at, turn } = request;
  const found = await digested(root, request);
  try {
    await writeDigest(root, turn, digestOf(night.name, at, found));
    return found;
  } catch (error) {
    Context.current().cancellationSignal.throwIfAborted();
    const cause = error instanceof Error ? error.message : String(error);
    return { ...found, missing: [...(found.missing ?? []), `this night in nights.html (${cause})`] };
  }
}

async function digested(root: string, request: DigestRequest): Promise<Digested> {
  const { run, recipe, outcome } = request;
  const missing: string[] = [];
  /** Undefined: there is nothing, or it cannot be read, which is then named. */
  const part = async <T>(what: string, read: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      Context.current().cancellationSignal.throwIfAborted();
      missing.push(`${what} (${error instanceof Error ? error.message : String(error)})`);
      return undefined;
    }
  };
  const view = await part('the artifacts of the run', () => viewOf(run));
  const made = madeIn(view);
  const ours = made.evaluation;
  const found = {
    isTakenOver: view?.paused?.note === takesOver,
    report: view?.stages.find(({ stage, status }) => stage === 'report' && status === 'done')?.note,
    ...(ours && (await part('the evaluation', () => scoreOf(ours)))),
    lastNight: ours && (await part('the change against last night', () => againstLastNight(root, request, ours))),
    champion: ours && (await part('the change against the champion', () => againstChampion(root, request, ours))),
    usd: await part('what the teacher was paid', () => paid(root, run, made.synthesis)),
    attempts: await part('the hours of GPUs', () => attemptsOf(root, run, recipe)),
    gpuHoursExpected: await part('the estimate', () => expectedHours(root, run)),
  };
  const known = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
  return { run, outcome, ...known, missing };
}

/** MainScore of the critic, and why it has none, or none with an interval. */
async function scoreOf(path: string): Promise<Pick<Digested, 'score' | 'whyNoScore'>> {
  const evaluation = await readEvaluation(path);
  const score = evaluation.models.grpo?.main_score;
  const whyNoScore = whyNoMainScore(evaluation, 'grpo');
  return { ...(score === undefined ? {} : { score }), ...(whyNoScore === undefined ? {} : { whyNoScore }) };
}

/** Paths of the artifacts that a run has made or reused, by stage. */
export async function artifactsOf(run: string): Promise<Partial<Record<Stage, string>>> {
  return madeIn(await viewOf(run));
}

async function viewOf(run: string): Promise<RunView> {
  return Context.current().client.workflow.getHandle(run).query<RunView>('view');
}

function madeIn(view: RunView | undefined): Partial<Record<Stage, string>> {
  return Object.fromEntries((view?.stages ?? []).map(({ stage, artifact }) => [stage, artifact]));
}

/** The newest earlier night of this one that came to a verdict. */
async function againstLastNight(root: string, request: DigestRequest, ours: string): Promise<Rivalry | undefined> {
  const { night, turn, recipe } = request;
  const turns = new Turns(root, night.name);
  for (let number = turn - 1; number >= 1; number -= 1) {
    const end = await turns.end(number);
    const run = end?.run ?? null;
    if (run === null || !['passed', 'not-passed'].includes(end?.verdict ?? '')) continue;
    const theirs = (await artifactsOf(run)).evaluation;
    return theirs === undefined ? undefined : { run, change: await change(ours, theirs, recipe.seed) };
  }
  return undefined;
}

/** The champion before tonight's own promotion, if there was one. */
async function againstChampion(root: string, request: DigestRequest, ours: string): Promise<Digested['champion']> {
  const { run, recipe } = request;
  const signal = Context.current().cancellationSignal;
  const champions = await readChampions(paths.champions(root, recipe.gate.champion), signal);
  const champion = champions.findLast((one) => one.run !== run);
  if (champion === undefined) return undefined;
  const { run: theirs, version, main_score: mainScore, evaluation } = champion;
  return { run: theirs, version, mainScore, change: await change(ours, evaluation.path, recipe.seed) };
}

async function change(ours: string, theirs: string, seed: number): Promise<Rivalry['change']> {
  if (ours === theirs) return 'same';
  const [items, rival] = [await readJudgedItems(ours, 'grpo'), await readJudgedItems(theirs, 'grpo')];
  const [comparison] = await offLoop('comparison', { ours: items, rivals: [rival], seed });
  if (comparison === undefined) throw new Error('the comparison gave nothing');
  return comparison;
}

async function paid(root: string, run: string, synthesis: string | undefined): Promise<Digested['usd']> {
  const expected = (await readEstimate(root, run))?.stages.find(({ stage }) => stage === 'synthesis')?.synthesis;
  if (synthesis === undefined) return undefined;
  const { made_by: by, cost } = await readManifest(synthesis);
  // What earlier runs paid for answers that are used here is in the artifact's cost too.
  const spent = by.run === run ? Math.max(0, (cost.usd ?? 0) - (expected?.usd.spent ?? 0)) : 0;
  return { spent, expected: expected?.usd.expected ?? null };
}

async function expectedHours(root: string, run: string): Promise<number | undefined> {
  const estimate = await readEstimate(root, run);
  if (estimate === undefined) return undefined;
  const jobs = estimate.stages.flatMap(({ action, job }) =>
    action === 'make' && job !== undefined ? [job.gpuHours.expected] : [],
  );
  // A sum with an unknown part would say less than is true.
  const known = jobs.filter((hours) => hours !== null);
  return known.length < jobs.length ? undefined : known.reduce((all, hours) => all + hours, 0);
}

/** Of all attempts of the run, as their jobs' outcomes say. */
async function attemptsOf(root: string, run: string, recipe: Recipe): Promise<AttemptHours[]> {
  const found: AttemptHours[] = [];
  for (const stage of [...(await namesIn(`${paths.run(root, run)}/jobs`))].filter(isJobStage).toSorted()) {
    const { nodes, gpus_per_node: gpus } = jobPlacement(stage, recipe).resources;
    for (const name of await namesIn(`${paths.run(root, run)}/jobs/${stage}`)) {
      const number = Number(/^a([1-9]\d*)$/.exec(name)?.[1] ?? 0);
      if (number === 0) continue;
      const outcome = await findOutcome(paths.attempt(root, run, stage, number), 0);
      if (outcome.kind !== 'read') continue; // its job never began, or was killed before it could say so
      const { started_at: from, ended_at: to, exit_code: code, signal } = outcome.value;
      const gpuHours = (Math.max(0, Date.parse(to) - Date.parse(from)) / 3_600_000) * nodes * gpus;
      found.push({ attempt: `${stage} ${name}`, gpuHours, wasted: why(code, signal) });
    }
  }
  return found;
}

/** Exit codes of the trainer: docs/ARCHITECTURE.md. */
const reasons: Readonly<Record<number, string>> = {
  65: 'bad data',
  70: 'a bug',
  71: 'GPU out of memory',
  75: 'was to be tried again',
  78: 'bad configuration',
};

function why(code: number, signal: string | null): string | null {
  if (code === 0 || code === 85) return null;
  return reasons[code] ?? (signal === null ? `ended with ${code}` : `ended by signal ${signal}`);
}
