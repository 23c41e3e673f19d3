/**
 * The evaluation artifact as files: `metrics.json` (what was measured) and `items.jsonl` (each test pair with every model's judged answers). A
 * later gate compares with these, pair by pair. zod checks them when they are read.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  type Evaluation,
  type JudgedItem,
  type Metrics,
  type ModelName,
  metricNames,
  modelNames,
} from '../../domain/evaluation/evaluation.ts';
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { dimensionNames } from '../../domain/critique/ratings.ts';
import { type Breakdown, type Part, partMetricNames } from '../../domain/evaluation/breakdown.ts';
import { fileSha256, readManifest } from '../store/artifact-store.ts';
import { parseJson } from '../../files/json.ts';
import { maxPredictionsBytes, parseLines } from './predictions.ts';
import { refuse } from '../failure.ts';
import { readRegularText } from '../../files/regular-file.ts';

const metricsName = 'metrics.json';
const itemsName = 'items.jsonl';
const maxMetricsBytes = 16 * 1024 * 1024;

const estimateSchema: z.ZodType<Estimate> = z.object({
  value: z.number().nullable(),
  interval: z.tuple([z.number(), z.number()]).nullable(),
});
const metric = z.enum(metricNames);
const model = z.enum(modelNames);
const metrics: z.ZodType<Metrics> = z.partialRecord(metric, estimateSchema);

const part: z.ZodType<Part> = z.object({
  rows: z.int(),
  valid: z.int(),
  metrics: z.record(z.enum(partMetricNames), estimateSchema).nullable(),
  refused: z.string().exactOptional(),
});
const breakdown: z.ZodType<Breakdown> = z.object({
  resamples: z.int(),
  dimensions: z.partialRecord(z.enum(dimensionNames), z.object({ overall: part, stated: part })),
  methods: z.record(z.string(), part),
  within_source: z.object({ sources: z.int(), pairs: z.int(), agreement: estimateSchema }).nullable(),
});

const evaluationSchema: z.ZodType<Evaluation> = z.object({
  schema: z.literal(1),
  split: z.literal('test'),
  pairs: z.int().min(1),
  reward: z.object({
    shape: z.enum(['l1', 'l2', 'gaussian', 'laplace']),
    format_weight: z.number(),
    floor: z.number(),
  }),
  sampled_temperature: z.number(),
  resampling: z.object({
    unit: z.enum(['source', 'pair']),
    units: z.int(),
    resamples: z.int(),
    seed: z.int(),
  }),
  models: z.partialRecord(model, metrics),
  differences: z.partialRecord(z.enum(['grpo_minus_sft', 'sft_minus_base', 'grpo_minus_base']), metrics),
  sameness: z.partialRecord(model, z.object({ score: z.number(), text: z.number() })),
  findings: z.array(z.object({ model, signal: z.string(), level: z.enum(['good', 'warning']), sentence: z.string() })),
  refused: z.partialRecord(model, z.string()).exactOptional(),
  breakdown: z.partialRecord(model, breakdown).exactOptional(),
});

const judgedAnswer = z.object({
  score: z.number().nullable(),
  accuracy: z.number(),
  format: z.number(),
  overall: z.number(),
  tokens: z.number().nullable(),
});
const itemSchema = z.object({
  id: z.string(),
  source: z.string(),
  mos: z.number(),
  models: z.partialRecord(model, z.object({ greedy: judgedAnswer, sampled: judgedAnswer })),
});

export type JudgedModels = Partial<Record<ModelName, JudgedItem[]>>;

/** Writes both files into a folder that nobody reads before it is published. All models have the same pairs in the same order. */
export async function writeEvaluation(folder: string, evaluation: Evaluation, judged: JudgedModels): Promise<void> {
  const first = judged.constant ?? [];
  const rows = first.map(({ id, source, mos }, index) => {
    const models = modelNames.flatMap((name) => {
      const item = judged[name]?.[index];
      return item === undefined ? [] : [[name, { greedy: item.greedy, sampled: item.sampled }] as const];
    });
    return { id, source, mos, models: Object.fromEntries(models) };
  });
  await writeFile(join(folder, metricsName), `${JSON.stringify(evaluation, null, 2)}\n`);
  await writeFile(join(folder, itemsName), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** What was measured. Throws `DataInvalid` naming the file if it holds no evaluation, FileFault if it is no regular file. */
export async function readEvaluation(artifactPath: string): Promise<Evaluation> {
  const path = join(artifactPath, metricsName);
  const read = evaluationSchema.safeParse(parseJson(await readRegularText(path, maxMetricsBytes, { noFollow: true })));
  if (read.success) return read.data;
  throw refuse('DataInvalid', `${path}: expected an evaluation, ${z.prettifyError(read.error)}`);
}

/** One model's judged answers, in the order of the test split. The file's sha256 is checked first. */
export async function readJudgedItems(artifactPath: string, name: ModelName): Promise<JudgedItem[]> {
  const path = join(artifactPath, itemsName);
  const { files } = await readManifest(artifactPath);
  const listed = files.find((file) => file.path === itemsName);
  if (listed === undefined || (await fileSha256(path)) !== listed.sha256) {
    throw refuse('DataInvalid', `${path}: its content is not what the manifest lists`);
  }
  const text = await readRegularText(path, maxPredictionsBytes, { noFollow: true });
  return parseLines(path, text, itemSchema).flatMap(({ id, source, mos, models }) => {
    const answers = models[name];
    return answers === undefined ? [] : [{ id, source, mos, ...answers }];
  });
}
