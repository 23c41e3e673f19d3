/**
 * The report of a run: `report.html` and `summary.txt` in the run's folder, each replaced atomically, so that writing it
 * again after a kill -9 gives the same files.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judgeTraining } from '../domain/health.ts';
import type { ArtifactRef, MetricsRow, Pair } from '../domain/manifest.ts';
import { type JobStage, paths, type Stage } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import { parseAnswer } from '../domain/score.ts';
import { readManifest } from './artifact-store.ts';
import { readMetrics } from './attempt-metrics.ts';
import type { GateDecision } from './champion.ts';
import type { ActivityDeps } from './deps.ts';
import { writeFileAtomic } from './durable-file.ts';
import { type Evaluation, type Prediction, readPairs, readPredictions } from './evaluation.ts';
import type { Point } from './report/charts.ts';
import { renderPage, type ReportData, type Sample } from './report/page.ts';
import { renderSummary } from './report/summary.ts';

export interface ReportInput {
  plan: RunPlan;
  artifacts: Partial<Record<Stage, ArtifactRef>>;
  gate: GateDecision;
  jobs: { stage: JobStage; attempt: number; jobId: string; state: string; seconds: number; gpuHours: number }[];
  startedAt: string;
}

export function createReportActivities(deps: Pick<ActivityDeps, 'store'>) {
  return {
    async writeReport(input: ReportInput): Promise<{ path: string }> {
      const data = await gather(input);
      const folder = paths.run(deps.store.root, input.plan.run);
      await writeFileAtomic(join(folder, 'summary.txt'), renderSummary(data.evaluation));
      const path = join(folder, 'report.html');
      await writeFileAtomic(path, renderPage(data));
      return { path };
    },
  };
}

async function gather(input: ReportInput): Promise<ReportData> {
  const { plan, artifacts, gate } = input;
  const { evaluation: measured, dataset, sft, grpo } = artifacts;
  if (measured === undefined || dataset === undefined) throw new Error('a report needs a dataset and an evaluation');
  const evaluation: Evaluation = JSON.parse(await readFile(join(measured.path, 'metrics.json'), 'utf8'));
  const test = (await readPairs(dataset)).filter((pair) => pair.split === 'test');
  const predictions = async (name: 'predict-sft' | 'predict-grpo') => {
    const artifact = artifacts[name];
    return artifact === undefined ? [] : readPredictions(artifact, test);
  };
  const final = await predictions('predict-grpo');
  const sftRows = sft === undefined ? [] : await readMetrics(sft.path);
  const grpoRows = grpo === undefined ? [] : await readMetrics(grpo.path);
  const answers = evaluation.findings.map((sentence) => ({ level: 'warning', sentence }));
  return {
    run: plan.run,
    recipe: plan.recipe.name,
    startedAt: input.startedAt,
    finishedAt: new Date().toISOString(),
    verdict: gate,
    evaluation,
    loss: points(sftRows, 'loss'),
    reward: points(grpoRows, 'reward'),
    responseLength: points(grpoRows, 'response_length'),
    predicted: { sft: scatterPoints(await predictions('predict-sft')), grpo: scatterPoints(final) },
    samples: await samples(dataset, test, final),
    findings: [...answers, ...judgeTraining(grpoRows)],
    facts: provenance(plan, dataset),
    ...(await madeWith(artifacts)),
    jobs: input.jobs,
  };
}

function points(rows: readonly MetricsRow[], name: 'loss' | 'reward' | 'response_length'): Point[] {
  return rows.flatMap((row) => {
    const y = row[name];
    return typeof y === 'number' ? [{ x: row.step, y }] : [];
  });
}

function scatterPoints(rows: readonly Prediction[]): Point[] {
  return rows.flatMap((row) => {
    const read = parseAnswer(row.greedy.text);
    return read.kind === 'scored' ? [{ x: row.mos, y: read.score }] : [];
  });
}

/** Four smallest, three middle, three largest errors; an unreadable answer counts as the largest. */
async function samples(dataset: ArtifactRef, test: readonly Pair[], rows: readonly Prediction[]): Promise<Sample[]> {
  const judged = rows.map((row) => {
    const read = parseAnswer(row.greedy.text);
    const predicted = read.kind === 'scored' ? read.score : null;
    return { row, predicted, error: predicted === null ? 5 : Math.abs(predicted - row.mos) };
  });
  const sorted = judged.toSorted((a, b) => a.error - b.error || (a.row.id < b.row.id ? -1 : 1));
  const middle = Math.floor(sorted.length / 2) - 1;
  const chosen = [
    ...sorted.slice(0, 4).map((one) => ({ ...one, why: 'small error' })),
    ...sorted.slice(middle, middle + 3).map((one) => ({ ...one, why: 'median error' })),
    ...sorted.slice(-3).map((one) => ({ ...one, why: 'large error' })),
  ];
  const found: Sample[] = [];
  for (const { row, predicted, why } of chosen) {
    const pair = test.find((one) => one.id === row.id);
    if (pair === undefined) continue;
    const { id, instruction, source_image, edited_image } = pair;
    const source = await dataUrl(join(dataset.path, source_image));
    const edited = await dataUrl(join(dataset.path, edited_image));
    found.push({ id, instruction, mos: row.mos, predicted, answer: row.greedy.text, source, edited, why });
  }
  return found;
}

async function dataUrl(path: string): Promise<string> {
  const kind = /\.jpe?g$/i.test(path) ? 'jpeg' : /\.webp$/i.test(path) ? 'webp' : 'png';
  return `data:image/${kind};base64,${(await readFile(path)).toString('base64')}`;
}

function provenance(plan: RunPlan, dataset: ArtifactRef): [string, string][] {
  const { recipe } = plan;
  const counts = Object.entries(dataset.counts).map(([name, count]) => `${count} ${name}`);
  return [
    ['recipe', `${recipe.name}, seed ${recipe.seed}`],
    ['dataset', `${recipe.dataset} (${counts.join(', ')})`],
    ['base model', recipe.base_model],
    ['teacher', `${recipe.synthesis.model}, prompt ${recipe.synthesis.prompt}`],
    ['critic prompt', recipe.prompt],
    ['reward', `${recipe.grpo.reward.shape}, format weight ${recipe.grpo.reward.format_weight}`],
  ];
}

async function madeWith(artifacts: ReportInput['artifacts']): Promise<Pick<ReportData, 'artifacts' | 'cost'>> {
  const list: ReportData['artifacts'] = [];
  let [usd, gpuHours, tokens] = [0, 0, 0];
  for (const artifact of Object.values(artifacts)) {
    const manifest = await readManifest(artifact.path);
    list.push({ stage: artifact.stage, key: artifact.key, reused: artifact.reused, madeBy: manifest.made_by.run });
    usd += manifest.cost.usd ?? 0;
    gpuHours += manifest.cost.gpu_hours ?? 0;
    tokens += (manifest.cost.input_tokens ?? 0) + (manifest.cost.output_tokens ?? 0);
  }
  const cost: [string, string][] = [
    ['teacher', `$${usd.toFixed(2)} for ${tokens} tokens, at the recipe's prices`],
    ['GPU-hours', `${gpuHours.toFixed(3)}, all artifacts of this run, reused ones included`],
  ];
  return { artifacts: list, cost };
}
