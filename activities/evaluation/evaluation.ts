/**
 * Evaluation: predictions of the test split → the evaluation artifact, for the base, after SFT, after GRPO and for a
 * constant predictor. Jobs wrote the predictions, so ids and MOS are checked against the dataset. `domain/evaluation/evaluation.ts` measures,
 * in a thread (`off-loop.ts`). This file gathers and writes.
 *
 * kill -9 before the store's rename leaves a try folder that nobody reads. After it the artifact is there. Deterministic.
 */
import { Context } from '@temporalio/activity';
import { constantAnswer, type JudgedItem, judgeText, type ModelName } from '../../domain/evaluation/evaluation.ts';
import type { TestPair } from '../../domain/evaluation/resampling.ts';
import type { Ratings } from '../../domain/critique/ratings.ts';
import { ingredientsUnder } from '../../domain/anew.ts';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import { mean } from '../../domain/evaluation/metrics.ts';
import type { Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { stageGraph } from '../../domain/stage-graph.ts';
import { readDatasetPairs } from '../dataset/dataset.ts';
import type { StoreDeps } from '../store/deps.ts';
import { type JudgedModels, writeEvaluation } from './evaluation-file.ts';
import { offLoop } from './off-loop.ts';
import { postconditionFailed, type Prediction, readPredictions } from './predictions.ts';
import { translated } from '../failure.ts';
import { tryFolder } from '../store/try-folder.ts';

/** Raised when the measuring changes: it is part of the artifact's key. */
const version = 7;
const predicted = ['base', 'sft', 'grpo'] as const;

export interface EvaluationInput {
  plan: RunPlan;
  /** Needs `dataset` and `predict-grpo`; `predict-base` and `predict-sft` are absent if the operator skipped them. */
  artifacts: Partial<Record<Stage, ArtifactRef>>;
}

export function createEvaluationActivities(deps: StoreDeps) {
  return {
    /** Throws a non-retryable `PostconditionFailed` if predictions are not of exactly the test split's pairs. */
    async evaluatePredictions({ plan, artifacts }: EvaluationInput): Promise<ArtifactRef> {
      const signal = Context.current().cancellationSignal;
      return translated(`evaluate predictions of run "${plan.run}"`, signal, async () => {
        const started = Date.now();
        const ingredients = ingredientsUnder(plan, 'evaluation', evaluationIngredients(plan, artifacts));
        const found = await deps.store.find('evaluation', ingredients);
        if (found.artifact !== undefined) return found.artifact;
        const { judged, texts, known } = await judge(plan, artifacts);
        const { seed, grpo, predict } = plan.recipe;
        const evaluation = await offLoop('evaluation', {
          judged,
          texts,
          known,
          reward: grpo.reward,
          sampledTemperature: predict.sampled_temperature,
          seed,
        });
        const from = await tryFolder(deps.store, 'evaluation', found.key);
        await writeEvaluation(from, evaluation, judged);
        return deps.store.publish({
          stage: 'evaluation',
          key: found.key,
          ingredients,
          from,
          counts: { rows: evaluation.pairs },
          cost: { seconds: (Date.now() - started) / 1000 },
          run: plan.run,
          attempts: [],
        });
      });
    },
  };
}

function evaluationIngredients(plan: RunPlan, artifacts: EvaluationInput['artifacts']): Record<string, unknown> {
  const evaluation = stageGraph(plan.recipe).find(({ kind }) => kind === 'evaluation');
  const stages = Object.entries<Stage>(evaluation?.inputs ?? {});
  const inputs = Object.fromEntries(stages.map(([role, stage]) => [role, artifacts[stage]?.key ?? null]));
  const { seed, grpo, predict } = plan.recipe;
  return { inputs, reward: grpo.reward, sampled_temperature: predict.sampled_temperature, seed, version };
}

interface Judged {
  judged: JudgedModels;
  /** Whole texts of the greedy answers. */
  texts: Partial<Record<ModelName, string[]>>;
  /** Method and people's opinions of the dimensions, for each test pair. */
  known: { method: string; labels: Ratings }[];
}

/** Reads and checks every model's predictions and judges each answer. */
async function judge(plan: RunPlan, artifacts: EvaluationInput['artifacts']): Promise<Judged> {
  const { dataset } = artifacts;
  if (dataset === undefined || artifacts['predict-grpo'] === undefined) {
    throw new Error('an evaluation needs the dataset and the predictions after GRPO');
  }
  const settings = plan.recipe.grpo.reward;
  const pairs = await readDatasetPairs(dataset);
  const test = pairs.filter((pair) => pair.split === 'test');
  if (test.length === 0) throw postconditionFailed(`dataset ${dataset.key}: expected test pairs, got none`);
  const found: Judged = { judged: { constant: constantItems(pairs, test, plan) }, texts: {}, known: test.map(knownOf) };
  for (const name of predicted) {
    const artifact = artifacts[`predict-${name}`];
    if (artifact === undefined) continue;
    const rows = await readPredictions(artifact, test);
    found.texts[name] = rows.map((row) => row.greedy.text);
    found.judged[name] = test.flatMap((pair, index) => {
      const row = rows[index];
      if (row === undefined) return [];
      const judged = (answer: Prediction['greedy']) => judgeText(answer.text, answer.tokens, row.mos, settings);
      return [{ ...testPair(pair), greedy: judged(row.greedy), sampled: judged(row.sampled) }];
    });
  }
  return found;
}

function constantItems(pairs: readonly Pair[], test: readonly Pair[], plan: RunPlan): JudgedItem[] {
  const train = pairs.filter((pair) => pair.split === 'train').map((pair) => pair.mos.overall);
  if (train.length === 0)
    throw postconditionFailed('the dataset has no train pairs: the constant predictor needs them');
  const guess = mean(train);
  return test.map((pair) => {
    const answer = constantAnswer(guess, pair.mos.overall, plan.recipe.grpo.reward);
    return { ...testPair(pair), greedy: answer, sampled: answer };
  });
}

function knownOf({ method, mos: { alignment, fidelity, quality } }: Pair): Judged['known'][number] {
  const labels = Object.entries({ alignment, fidelity, quality }).filter(([, label]) => label !== undefined);
  return { method, labels: Object.fromEntries(labels) };
}

function testPair(pair: Pair): TestPair {
  return { id: pair.id, source: pair.source_id, mos: pair.mos.overall };
}
