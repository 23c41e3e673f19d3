/**
 * The gate's activity: the candidate against thresholds, the champion and the reference. `domain/evaluation/gate.ts` gives the verdict. Champions
 * are files that are only added (`champion-file.ts`). If a champion cannot be read, an error names it: it never counts as "no champion before".
 *
 * A promotion is one link(2). kill -9 before it: the candidate is judged again. After it: the run finds itself among the champions and returns
 * the decision that it wrote there, even if others were promoted since. If another gate was first, everything is judged again, against the new
 * champion.
 */
import { Context } from '@temporalio/activity';
import type { Comparison } from '../../domain/evaluation/comparison.ts';
import { type JudgedItem, whyNoMainScore } from '../../domain/evaluation/evaluation.ts';
import { judge, type Outcome, type Rival } from '../../domain/evaluation/gate.ts';
import { healthVerdict, judgeTraining } from '../../domain/health/health.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { readMetrics } from '../jobs/attempt-metrics.ts';
import {
  type Champion,
  type FolderView,
  ownView,
  promote,
  readChampions,
  type Reference,
  versionPath,
} from './champion-file.ts';
import { makeLoadable } from './loadable.ts';
import type { StoreDeps } from '../store/deps.ts';
import { readEvaluation, readJudgedItems } from '../evaluation/evaluation-file.ts';
import { offLoop } from '../evaluation/off-loop.ts';
import { passing, refuse, translated } from '../failure.ts';

/** How often others may be promoted while this one is judged. Then Temporal tries it again later. */
const rounds = 5;

export interface GateDecision {
  passed: boolean;
  outcome: Outcome;
  reasons: string[];
  mainScore: number | null;
  /** Run of the champion that it was compared with. Null if there was none. */
  champion: string | null;
}

export interface GateRequest {
  plan: RunPlan;
  evaluation: ArtifactRef;
  /** The GRPO artifact. */
  candidate: ArtifactRef;
  /** Its answers to the test split. The champion's record names them, for a person to look at. */
  predictions: ArtifactRef;
}

export function createGateActivities(deps: StoreDeps, view: FolderView = ownView) {
  return {
    /** A candidate that passes becomes champion. Throws `DataInvalid` for a champion that cannot be read or compared with. */
    async judgeGate(request: GateRequest): Promise<GateDecision> {
      const signal = Context.current().cancellationSignal;
      const folder = paths.champions(deps.store.root, request.plan.recipe.gate.champion);
      return translated(`judge run "${request.plan.run}" against champion "${folder}"`, signal, async () => {
        const { decision, newest } = await decide(folder, request, view, signal);
        const { plan } = request;
        if (newest !== undefined) await makeLoadable(deps.store, folder, plan.recipe.gate.champion, newest, plan);
        return decision;
      });
    },
  };
}

/** `newest`: this run's critic is the newest champion. */
async function decide(
  folder: string,
  request: GateRequest,
  view: FolderView,
  signal: AbortSignal,
): Promise<{ decision: GateDecision; newest?: Champion }> {
  let known = 0;
  for (let round = 0; round < rounds; round += 1) {
    const champions = await readChampions(folder, signal, known, view);
    const own = champions.find(({ run, model }) => run === request.plan.run && model.key === request.candidate.key);
    if (own !== undefined) return { decision: own.decision, ...(own === champions.at(-1) && { newest: own }) };
    const { decision, next } = await judgeAgainst(folder, champions, request);
    if (next === undefined) return { decision };
    if ((await promote(folder, next)) === 'promoted') return { decision, newest: next };
    known = next.version;
  }
  throw passing(
    'ChampionChanged',
    `champion "${folder}" changed ${rounds} times while run "${request.plan.run}" was compared with it`,
  );
}

interface Judged {
  decision: GateDecision;
  /** What to write. Undefined if it has not passed, or is champion already. */
  next?: Champion;
}

async function judgeAgainst(folder: string, champions: readonly Champion[], request: GateRequest): Promise<Judged> {
  const { plan, evaluation: measured, candidate } = request;
  const { gate } = plan.recipe;
  const champion = champions.at(-1);
  const reference = referenceOf(folder, champions, gate.reference);
  const rivals = await compareAll(folder, champion, reference, request);
  const evaluation = await readEvaluation(measured.path);
  const mainScore = evaluation.models.grpo?.main_score?.value ?? null;
  const whyUndefined = mainScore === null ? whyNoMainScore(evaluation, 'grpo') : undefined;
  const training = judgeTraining(await readMetrics(candidate.path));
  const verdict = judge({
    mainScore,
    ...(whyUndefined !== undefined && { whyUndefined }),
    readableShare: evaluation.models.grpo?.readable?.value ?? 0,
    minMainScore: gate.min_main_score,
    minReadable: gate.min_readable,
    margin: gate.margin,
    health: healthVerdict(training),
    champion: rivals.champion,
    reference: rivals.reference,
  });
  const warnings = training.filter((finding) => finding.level === 'warning').map((finding) => finding.sentence);
  const decision: GateDecision = {
    passed: verdict.passed,
    outcome: verdict.outcome,
    reasons: [...verdict.reasons, ...warnings, ...rivals.notes],
    mainScore,
    champion: champion?.run ?? null,
  };
  if (plan.experiment !== undefined) return { decision: inExperiment(decision) };
  if (!verdict.passed || verdict.standing === 'already champion') return { decision };
  const raises = verdict.raisesReference && gate.reference === undefined;
  return { decision, next: successor(request, decision, champion, raises ? undefined : reference) };
}

/** The critic of an experiment is judged like any other, and is not promoted: an arm may be worse on purpose. */
function inExperiment(decision: GateDecision): GateDecision {
  return {
    ...decision,
    outcome: 'keep',
    reasons: [...decision.reasons, 'a run of an experiment: it becomes no champion'],
  };
}

/** The record of the candidate as the next champion. Without a reference it is its own reference. */
function successor(
  { plan, evaluation, candidate, predictions }: GateRequest,
  decision: GateDecision,
  base: Champion | undefined,
  reference: Reference | undefined,
): Champion {
  const version = (base?.version ?? 0) + 1;
  const model = place(candidate);
  const own = { run: plan.run, model, evaluation: place(evaluation), main_score: decision.mainScore };
  return {
    schema: 2,
    version,
    base: base?.version ?? null,
    ...own,
    predictions: place(predictions),
    decided_at: new Date().toISOString(),
    decision,
    reference: reference ?? { version, ...own },
  };
}

function place({ key, path }: ArtifactRef): { key: string; path: string } {
  return { key, path };
}

/** The champion that the recipe pins by its run, else the one that the newest champion names. */
function referenceOf(
  folder: string,
  champions: readonly Champion[],
  pinned: string | undefined,
): Reference | undefined {
  if (pinned === undefined) return champions.at(-1)?.reference;
  const found = champions.find((champion) => champion.run === pinned);
  if (found !== undefined) {
    const { version, run, model, evaluation, main_score } = found;
    return { version, run, model, evaluation, main_score };
  }
  const runs = champions.map((champion) => champion.run).slice(-5);
  throw refuse(
    'RecipeInvalid',
    `gate.reference: expected the run of a champion in "${folder}" (${runs.length === 0 ? 'there is none' : `the last are ${runs.join(', ')}`}), got "${pinned}"`,
  );
}

interface Rivals {
  champion: Rival | undefined;
  reference: Rival | undefined;
  notes: string[];
}

/** MainScore of the candidate − that of each rival. It is paired if both were measured on the same pairs. Otherwise it is unpaired, and that is said. */
async function compareAll(
  folder: string,
  champion: Champion | undefined,
  reference: Reference | undefined,
  { plan, evaluation, candidate }: GateRequest,
): Promise<Rivals> {
  if (champion === undefined) return { champion: undefined, reference: undefined, notes: [] };
  if (champion.model.key === candidate.key) {
    return { champion: rivalOf(champion, candidate), reference: undefined, notes: [] };
  }
  const second = reference === undefined || reference.version === champion.version ? undefined : reference;
  const others = [champion, ...(second === undefined || second.model.key === candidate.key ? [] : [second])];
  const ours = await readJudgedItems(evaluation.path, 'grpo');
  const rivals: JudgedItem[][] = [];
  for (const other of others) rivals.push(await itemsOf(versionPath(folder, other.version), other));
  const [first, last] = await offLoop('comparison', { ours, rivals, seed: plan.recipe.seed });
  return {
    champion: rivalOf(champion, candidate, first),
    reference: second && rivalOf(second, candidate, last),
    notes: [
      ...unpairedNote('champion', ours.length, first),
      ...unpairedNote(`reference ${second?.run ?? ''}`, ours.length, last),
    ],
  };
}

function rivalOf(rival: Reference | Champion, candidate: ArtifactRef, found?: Comparison): Rival {
  return {
    run: rival.run,
    estimate: found?.estimate ?? null,
    standardError: found?.standardError ?? null,
    difference: found?.difference ?? null,
    paired: found?.paired ?? false,
    sameArtifact: rival.model.key === candidate.key,
  };
}

function unpairedNote(who: string, ours: number, found: Comparison | undefined): string[] {
  if (found === undefined || found.paired) return [];
  const counts = `${found.theirs} there, ${ours} here, ${found.common} in common`;
  return [`compared unpaired: the ${who} was measured on other pairs (${counts})`];
}

/** A rival's judged answers. If something is wrong with them, the message also names the file that points to them. */
async function itemsOf(path: string, rival: Reference): Promise<JudgedItem[]> {
  try {
    return await readJudgedItems(rival.evaluation.path, 'grpo');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refuse(
      'DataInvalid',
      `champion "${path}": its evaluation "${rival.evaluation.path}" cannot be read, so nothing can be compared with it: ${why}`,
    );
  }
}
