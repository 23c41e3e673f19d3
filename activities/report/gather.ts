/**
 * Gathers what the report shows from a run's artifacts. Every part is optional: if a run does not have it, it is left out, and the page says
 * so. zod checks files of jobs.
 */
import { basename, join, relative } from 'node:path';
import * as z from 'zod';
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import type { Evaluation } from '../../domain/evaluation/evaluation.ts';
import { judgeTraining } from '../../domain/health/health.ts';
import type { ArtifactManifest, ArtifactRef, MetricsRow } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import type { SftSettings } from '../../domain/recipe.ts';
import { type MixShares, mixShares, sftOf } from '../../domain/recipe/arms.ts';
import { stageNames } from '../../domain/stage-graph.ts';
import { parseAnswer } from '../../domain/critique/score.ts';
import { readManifest } from '../store/artifact-store.ts';
import { readMetrics } from '../jobs/attempt-metrics.ts';
import { readDatasetPairs } from '../dataset/dataset.ts';
import { readIfPresent } from '../store/durable-file.ts';
import { readEvaluation } from '../evaluation/evaluation-file.ts';
import { parseJson } from '../../files/json.ts';
import { type Prediction, readPredictions } from '../evaluation/predictions.ts';
import type { Fact, Point, ReportArtifact, ReportData, ReportInput, Series, Sources } from './data.ts';
import { loadSamples } from './samples.ts';
import { readTeacher } from './teacher.ts';

type Artifacts = ReportInput['artifacts'];
type Manifests = Partial<Record<Stage, ArtifactManifest>>;

/** `root`: the store's. `temporal`: the run's page in Temporal's UI. */
export async function gatherReport(
  root: string,
  input: ReportInput,
  estimate: RunEstimate | undefined,
  now: Date,
  temporal?: string,
): Promise<ReportData> {
  const { plan, artifacts, gate, jobs, startedAt } = input;
  const { dataset } = artifacts;
  const evaluation = artifacts.evaluation && (await readEvaluation(artifacts.evaluation.path));
  const sft = await metricsOf(artifacts.sft);
  const grpo = await metricsOf(artifacts.grpo);
  const test = dataset === undefined ? [] : (await readDatasetPairs(dataset)).filter((pair) => pair.split === 'test');
  const predicted: ReportData['predicted'] = [];
  let last: Prediction[] = [];
  let lastArtifact: ArtifactRef | undefined;
  for (const model of ['base', 'sft', 'grpo'] as const) {
    const artifact = artifacts[`predict-${model}`];
    if (artifact === undefined || dataset === undefined) continue;
    last = await readPredictions(artifact, test);
    lastArtifact = artifact;
    predicted.push({ model, points: scatterPoints(last) });
  }
  const stages = stageNames(plan.recipe);
  const manifests = await manifestsOf(artifacts, stages);
  const teacher = await readTeacher(artifacts.synthesis);
  return {
    run: plan.run,
    recipe: plan.recipe,
    startedAt,
    finishedAt: now.toISOString(),
    gate,
    evaluation,
    training: {
      loss: series(sft, 'loss'),
      reward: series(grpo, 'reward'),
      responseLength: series(grpo, 'response_length'),
    },
    predicted,
    samples: dataset === undefined ? [] : await loadSamples(dataset, test, last, await rowsOf(lastArtifact)),
    findings: findingsOf(evaluation, grpo),
    jobs,
    artifacts: artifactList(manifests, stages, plan.run),
    estimate,
    uncertain: teacher.uncertain,
    facts: [...recipeFacts(input), ...teacher.facts, ...(await codeFacts(artifacts, manifests))],
    sources: sourcesOf(root, input, lastArtifact),
    links: temporal === undefined ? {} : { temporal },
  };
}

function sourcesOf(root: string, { plan, artifacts }: ReportInput, predictions: ArtifactRef | undefined): Sources {
  const file = (artifact: ArtifactRef | undefined, name: string) =>
    artifact === undefined ? undefined : relative(root, join(artifact.path, name));
  const found = {
    evaluation: file(artifacts.evaluation, 'metrics.json'),
    sft: file(artifacts.sft, 'metrics.jsonl'),
    grpo: file(artifacts.grpo, 'metrics.jsonl'),
    predictions: file(predictions, 'predictions.jsonl'),
  };
  const known = Object.fromEntries(Object.entries(found).filter(([, name]) => name !== undefined));
  return { report: `runs/${plan.run}/report.json`, plan: `runs/${plan.run}/plan.json`, ...known };
}

/** Which row of the predictions' file is of which pair. */
async function rowsOf(predictions: ArtifactRef | undefined): Promise<Map<string, number>> {
  const text = predictions && (await readIfPresent(join(predictions.path, 'predictions.jsonl')));
  const lines = (text ?? '').split('\n').filter((line) => line !== '');
  return new Map(lines.map((line, at) => [z.object({ id: z.string() }).parse(parseJson(line)).id, at]));
}

async function metricsOf(artifact: ArtifactRef | undefined): Promise<MetricsRow[]> {
  return artifact === undefined ? [] : readMetrics(artifact.path);
}

function series(rows: readonly MetricsRow[], name: 'loss' | 'reward' | 'response_length'): Series {
  const points = rows.flatMap((row) => {
    const y = row[name];
    return typeof y === 'number' ? [{ x: row.step, y }] : [];
  });
  const resumes = rows.slice(1).flatMap((row, index) => {
    const before = rows[index]?.attempt;
    const { attempt, step } = row;
    return attempt === undefined || before === undefined || attempt === before ? [] : [{ step, attempt }];
  });
  return { points, resumes };
}

function scatterPoints(rows: readonly Prediction[]): Point[] {
  return rows.flatMap((row) => {
    const read = parseAnswer(row.greedy.text);
    return read.kind === 'scored' ? [{ x: row.mos, y: read.score }] : [];
  });
}

/** What GRPO's training and its answers show. For the other models the table tells enough. */
function findingsOf(evaluation: Evaluation | undefined, grpo: readonly MetricsRow[]): ReportData['findings'] {
  const answers = (evaluation?.findings ?? []).filter((finding) => finding.model === 'grpo');
  return [...judgeTraining(grpo), ...answers].map(({ level, sentence }) => ({ level, sentence }));
}

async function manifestsOf(artifacts: Artifacts, stages: readonly Stage[]): Promise<Manifests> {
  const found: Manifests = {};
  for (const stage of stages) {
    const artifact = artifacts[stage];
    if (artifact !== undefined) found[stage] = await readManifest(artifact.path);
  }
  return found;
}

function artifactList(manifests: Manifests, stages: readonly Stage[], run: string): ReportArtifact[] {
  return stages.flatMap((stage) => {
    const manifest = manifests[stage];
    if (manifest === undefined) return [];
    const { usd, input_tokens: input, output_tokens: output, gpu_hours: gpuHours, seconds } = manifest.cost;
    const tokens = input === undefined && output === undefined ? undefined : (input ?? 0) + (output ?? 0);
    const madeBy = manifest.made_by.run;
    return [{ stage, key: manifest.key, madeBy, fresh: madeBy === run, usd, tokens, gpuHours, seconds }];
  });
}

function recipeFacts({ plan, artifacts }: ReportInput): Fact[] {
  const { recipe } = plan;
  const { grpo } = recipe;
  const sft = sftOf(recipe);
  const counts = Object.entries(artifacts.dataset?.counts ?? {}).map(([name, count]) => `${count} ${name}`);
  const weight = `format weight ${grpo.reward.format_weight}, floor ${grpo.reward.floor}`;
  return [
    ['Recipe', `${recipe.name}, seed ${recipe.seed}`],
    ['Dataset', [recipe.dataset.path, ...counts].join(' · ')],
    ['Base model', recipe.base_model],
    ['Critic prompt', recipe.prompt],
    ['SFT', sft === undefined ? 'none: GRPO began from the base model' : sftFact(sft, mixShares(recipe))],
    [
      'GRPO',
      `${grpo.steps} steps of ${grpo.prompts_per_step} prompts × ${grpo.generations} answers, learning rate ${grpo.learning_rate}, temperature ${grpo.temperature}, β ${grpo.beta}`,
    ],
    ['Reward', `${grpo.reward.shape}, ${weight}`],
  ];
}

function sftFact(
  { epochs, batch_size: batch, gradient_accumulation: accumulated, learning_rate: rate }: SftSettings,
  { cot, direct }: MixShares,
): string {
  const records = `${cot} records with reasoning and ${direct} with the bare score for each pair`;
  return `${epochs} epochs of batch ${batch * accumulated}, learning rate ${rate}, ${records}`;
}

const versionsSchema = z.looseObject({ trainer: z.record(z.string(), z.union([z.string(), z.number(), z.null()])) });

/** Hash of the trainer's code and the versions that its jobs reported. */
async function codeFacts(artifacts: Artifacts, manifests: Manifests): Promise<Fact[]> {
  const facts: Fact[] = [];
  const trainer = (manifests.grpo ?? manifests.sft)?.ingredients['trainer'];
  if (typeof trainer === 'string') facts.push(['Trainer code', basename(trainer)]);
  for (const stage of ['sft', 'grpo'] as const) {
    const artifact = artifacts[stage];
    if (artifact === undefined) continue;
    const result = versionsSchema.safeParse(parseJson((await readIfPresent(join(artifact.path, 'result.json'))) ?? ''));
    if (!result.success) continue;
    const versions = Object.entries(result.data.trainer).map(([name, version]) => `${name} ${String(version)}`);
    facts.push([`${stage === 'sft' ? 'SFT' : 'GRPO'} job’s versions`, versions.join(', ')]);
  }
  return [...facts, ['Orchestrator', `Node ${process.version}`]];
}
