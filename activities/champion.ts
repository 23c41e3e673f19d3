/**
 * The gate's activity: the candidate against thresholds and against the champion, `<store>/champions/<name>.json`. The
 * verdict itself is `domain/gate.ts`. A champion file that cannot be read is an error that names it, never silently "no
 * champion before".
 *
 * A promotion is two writes: the old champion into the history, then the new one in its place (atomic). kill -9 before the
 * first: judged again. Between them: judged again, the history has the old champion already. After the second: the run
 * finds itself as champion and gives the decision that it wrote there.
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ApplicationFailure, Context } from '@temporalio/activity';
import {
  type Draw,
  drawsOf,
  type Evaluation,
  type JudgedItem,
  measureMainScore,
  resamplingOf,
  subtract,
  toEstimate,
} from '../domain/evaluation.ts';
import { type GateInput, judge } from '../domain/gate.ts';
import { type Finding, healthVerdict, judgeTraining } from '../domain/health.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import type { Interval } from '../domain/metrics.ts';
import { paths } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import { readMetrics } from './attempt-metrics.ts';
import { type Champion, keepInHistory, readChampion, writeChampion } from './champion/champion-file.ts';
import type { ActivityDeps } from './deps.ts';
import { readEvaluation, readJudgedItems } from './evaluation/evaluation-file.ts';
import { translated } from './failure.ts';
import { KeyedLock } from './keyed-lock.ts';

export interface GateDecision {
  passed: boolean;
  reasons: string[];
  mainScore: number | null;
  /** Run of the champion that was compared with; null if there was none. */
  champion: string | null;
}

export interface GateRequest {
  plan: RunPlan;
  evaluation: ArtifactRef;
  /** The GRPO artifact. */
  candidate: ArtifactRef;
  /** Its answers to the test split, noted with the champion for a person to look at. */
  predictions: ArtifactRef;
}

export function createGateActivities(deps: Pick<ActivityDeps, 'store'>) {
  const locks = new KeyedLock();
  return {
    /** A pass makes the candidate champion. Throws `DataInvalid` for a champion that cannot be read or compared with. */
    async judgeGate(request: GateRequest): Promise<GateDecision> {
      const signal = Context.current().cancellationSignal;
      const path = paths.champion(deps.store.root, request.plan.recipe.gate.champion);
      return translated(`judge run "${request.plan.run}" against champion "${path}"`, signal, () =>
        locks.hold(path, signal, () => decide(path, request)),
      );
    },
  };
}

async function decide(path: string, request: GateRequest): Promise<GateDecision> {
  const { plan, evaluation: measured, candidate, predictions } = request;
  const champion = await readChampion(path);
  if (champion?.run === plan.run && champion.model.key === candidate.key) return champion.decision;
  const evaluation = await readEvaluation(measured.path);
  const compared = champion && (await compare(path, champion, measured, candidate, plan.recipe.seed));
  const training = judgeTraining(await readMetrics(candidate.path));
  const decision = verdictOf(plan, evaluation, training, champion, compared);
  if (!decision.passed || compared?.verdict.sameArtifact === true) return decision;
  await mkdir(dirname(path), { recursive: true });
  if (champion !== undefined) await keepInHistory(path, champion);
  await refuseIfChanged(path, champion);
  await writeChampion(path, {
    schema: 1,
    run: plan.run,
    model: place(candidate),
    evaluation: place(measured),
    predictions: place(predictions),
    main_score: decision.mainScore,
    decided_at: new Date().toISOString(),
    decision,
  });
  return decision;
}

function place({ key, path }: ArtifactRef): { key: string; path: string } {
  return { key, path };
}

function verdictOf(
  plan: RunPlan,
  evaluation: Evaluation,
  training: readonly Finding[],
  champion: Champion | undefined,
  compared: Comparison | undefined,
): GateDecision {
  const { gate } = plan.recipe;
  const mainScore = evaluation.models.grpo?.main_score?.value ?? null;
  const verdict = judge({
    mainScore,
    readableShare: evaluation.models.grpo?.readable?.value ?? 0,
    minMainScore: gate.min_main_score,
    minReadable: gate.min_readable,
    tolerance: gate.tolerance,
    health: healthVerdict(training),
    champion: compared?.verdict,
  });
  const warnings = training.filter((finding) => finding.level === 'warning').map((finding) => finding.sentence);
  const notes = compared?.note === undefined ? warnings : [...warnings, compared.note];
  return {
    passed: verdict.passed,
    reasons: [...verdict.reasons, ...notes],
    mainScore,
    champion: champion?.run ?? null,
  };
}

interface Comparison {
  verdict: NonNullable<GateInput['champion']>;
  note?: string;
}

/** MainScore of the candidate − the champion's: paired if both were measured on the same pairs, else unpaired, and said. */
async function compare(
  path: string,
  champion: Champion,
  measured: ArtifactRef,
  candidate: ArtifactRef,
  seed: number,
): Promise<Comparison> {
  const known = { run: champion.run, mainScore: champion.main_score };
  if (champion.model.key === candidate.key) {
    return { verdict: { ...known, difference: null, sameArtifact: true } };
  }
  const ours = await readJudgedItems(measured.path, 'grpo');
  const theirs = await itemsOf(path, champion);
  const draws = drawsOf(ours, resamplingOf(ours, seed));
  const order = new Map(theirs.map((item) => [item.id, item]));
  const aligned = ours.flatMap((item) => {
    const other = order.get(item.id);
    return other?.mos === item.mos ? [other] : [];
  });
  if (aligned.length === ours.length && ours.length === theirs.length) {
    return { verdict: { ...known, difference: mainScoreDifference(ours, aligned, draws, draws), sameArtifact: false } };
  }
  const note =
    `compared unpaired: the champion was measured on other pairs ` +
    `(${theirs.length} there, ${ours.length} here, ${aligned.length} in common)`;
  const unpaired = mainScoreDifference(ours, theirs, draws, drawsOf(theirs, resamplingOf(theirs, seed + 1)));
  return { verdict: { ...known, difference: unpaired, sameArtifact: false }, note };
}

/** Interval of ours − theirs: with the same draws paired, with their own unpaired. */
function mainScoreDifference(
  ours: readonly JudgedItem[],
  theirs: readonly JudgedItem[],
  ourDraws: readonly Draw[],
  theirDraws: readonly Draw[],
): Interval {
  return toEstimate(subtract(measureMainScore(ours, ourDraws), measureMainScore(theirs, theirDraws))).interval;
}

/** The champion's judged answers; whatever is wrong with them is said together with the file that points there. */
async function itemsOf(path: string, champion: Champion): Promise<JudgedItem[]> {
  try {
    return await readJudgedItems(champion.evaluation.path, 'grpo');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw ApplicationFailure.nonRetryable(
      `champion "${path}": its evaluation "${champion.evaluation.path}" cannot be read, so nothing can be compared with it: ${why}`,
      'DataInvalid',
    );
  }
}

/** Another worker may have promoted while this one compared: then everything is judged again, against the new one. */
async function refuseIfChanged(path: string, expected: Champion | undefined): Promise<void> {
  const now = await readChampion(path);
  if (now?.model.key === expected?.model.key && now?.run === expected?.run) return;
  throw ApplicationFailure.retryable(
    `champion "${path}" changed while it was compared with: run "${now?.run ?? ''}" is champion now`,
    'ChampionChanged',
  );
}
