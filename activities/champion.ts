/**
 * The champion: who the gate compares with, `<store>/champions/<name>.json`, replaced atomically. A corrupt file is an error
 * that names it, never silently a first champion.
 *
 * kill -9 before the replacement: judged again. After it: the same candidate is "the champion already" and passes again.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { type GateInput, judge } from '../domain/gate.ts';
import type { ArtifactRef } from '../domain/manifest.ts';
import { bootstrap, quickMainScore } from '../domain/metrics.ts';
import { paths } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import { seededRandom } from '../domain/seeded-random.ts';
import type { ActivityDeps } from './deps.ts';
import { readIfPresent, writeFileAtomic } from './durable-file.ts';
import { type Evaluation, type Prediction, predictionSchema, scoredGreedy } from './evaluation.ts';

const championSchema = z.object({
  schema: z.literal(1),
  run: z.string(),
  model: z.string(),
  predictions: z.string(),
  main_score: z.number().nullable(),
  decided_at: z.string(),
});
type Champion = z.output<typeof championSchema>;

export interface GateDecision {
  passed: boolean;
  reasons: string[];
  mainScore: number | null;
  champion: string | null;
}

export interface GateRequest {
  plan: RunPlan;
  evaluation: ArtifactRef;
  candidate: ArtifactRef;
  predictions: ArtifactRef;
}

export function createGateActivities(deps: Pick<ActivityDeps, 'store'>) {
  return {
    async judgeGate({ plan, evaluation, candidate, predictions }: GateRequest): Promise<GateDecision> {
      const path = paths.champion(deps.store.root, plan.recipe.gate.champion);
      const champion = await readChampion(path);
      const metrics: Evaluation = JSON.parse(await readFile(join(evaluation.path, 'metrics.json'), 'utf8'));
      const grpo = metrics.models.grpo;
      const mainScore = grpo?.mainScore ?? null;
      const verdict = judge({
        mainScore,
        readableShare: grpo?.readable ?? 0,
        minMainScore: plan.recipe.gate.min_main_score,
        minReadable: plan.recipe.gate.min_readable,
        tolerance: plan.recipe.gate.tolerance,
        champion: champion && (await compare(champion, candidate, predictions, plan)),
      });
      if (verdict.passed && champion?.model !== candidate.path) {
        await mkdir(dirname(path), { recursive: true });
        const next: Champion = {
          schema: 1,
          run: plan.run,
          model: candidate.path,
          predictions: predictions.path,
          main_score: mainScore,
          decided_at: new Date().toISOString(),
        };
        await writeFileAtomic(path, `${JSON.stringify(next, null, 2)}\n`);
      }
      return { passed: verdict.passed, reasons: verdict.reasons, mainScore, champion: champion?.run ?? null };
    },
  };
}

/** Paired on the test items that both have predicted; no common item means that no difference is known. */
async function compare(
  champion: Champion,
  candidate: ArtifactRef,
  predictions: ArtifactRef,
  plan: RunPlan,
): Promise<NonNullable<GateInput['champion']>> {
  const theirs = new Map((await readRows(champion.predictions)).map((row) => [row.id, row]));
  const both = (await readRows(predictions.path)).flatMap((ours) => {
    const other = theirs.get(ours.id);
    return other === undefined || other.mos !== ours.mos ? [] : [{ ours, theirs: other }];
  });
  const statistic = (sample: typeof both) => {
    const ours = quickMainScore(sample.flatMap((one) => scoredGreedy(one.ours)));
    const others = quickMainScore(sample.flatMap((one) => scoredGreedy(one.theirs)));
    return ours === null || others === null ? null : ours - others;
  };
  return {
    run: champion.run,
    mainScore: champion.main_score,
    sameArtifact: champion.model === candidate.path,
    difference: bootstrap(both, statistic, seededRandom(plan.recipe.seed + 3), 200),
  };
}

async function readRows(artifactPath: string): Promise<Prediction[]> {
  const text = await readFile(join(artifactPath, 'predictions.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => predictionSchema.parse(JSON.parse(line)));
}

async function readChampion(path: string): Promise<Champion | undefined> {
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  try {
    return championSchema.parse(JSON.parse(text));
  } catch (error) {
    throw ApplicationFailure.nonRetryable(
      `champion file "${path}": expected a champion's record, got ${error instanceof Error ? error.message : String(error)}`,
      'DataInvalid',
    );
  }
}
