/**
 * Manifests: the shapes of the files on disk, with the zod schemas that check them when they are read. Workflows import only the
 * types.
 */
import * as z from 'zod';
import type { EngineName, EngineVersions } from './engines/registry.ts';
import { isStage, type JobKind, jobKinds, type JobStage, type Stage, stageExpected } from './names.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);

export const stageSchema = z.custom<Stage>(
  (value) => typeof value === 'string' && isStage(value),
  `expected ${stageExpected}`,
);

/** What a stage cost. All fields are optional: absent means "does not apply", never "unknown". */
const costSchema = z.strictObject({
  usd: z.number().min(0).optional(),
  input_tokens: count.optional(),
  cached_input_tokens: count.optional(),
  output_tokens: count.optional(),
  gpu_hours: z.number().min(0).optional(),
  seconds: z.number().min(0).optional(),
});
export type Cost = z.output<typeof costSchema>;

/** `manifest.json` of an artifact, written last. `key` = sha256 (first 32 hex digits) of the canonical ingredients. */
export const artifactManifestSchema = z.strictObject({
  schema: z.literal(1),
  stage: stageSchema,
  key: z.string().regex(/^[0-9a-f]{32}$/),
  ingredients: z.record(z.string(), z.unknown()),
  files: z.array(z.strictObject({ path: z.string().min(1), bytes: count, sha256 })),
  counts: z.record(z.string(), z.number()),
  made_by: z.strictObject({ run: z.string(), attempts: z.array(z.string()), finished_at: z.string() }),
  cost: costSchema,
});
export type ArtifactManifest = z.output<typeof artifactManifestSchema>;

/** What travels through the workflow instead of an artifact's contents: under 1 KiB. */
export interface ArtifactRef {
  stage: ArtifactManifest['stage'];
  key: string;
  path: string;
  reused: boolean;
  counts: Record<string, number>;
  cost: Cost;
}

/** `attempt.json`: what a job is to do. The same shape as tests/golden/attempt.schema.json. */
export interface AttemptManifest {
  schema: 1;
  name: string;
  run: string;
  stage: JobStage;
  attempt: number;
  kind: JobKind;
  model: string;
  inputs: Record<string, string>;
  resume_from: string | null;
  seed: number;
  threads: number;
  planned: { steps: number | null; rows: number | null };
  /** Who does the work, and the versions that the job must find in its environment: those in its artifact's key. */
  engine: { name: EngineName; versions: EngineVersions };
  params: Record<string, unknown>;
}

/** `outcome.json`: the job script's last act. Outlives slurmctld's memory of the job. */
export const outcomeSchema = z.object({
  schema: z.literal(1),
  name: z.string(),
  job_id: z.string(),
  host: z.string(),
  exit_code: z.int(),
  signal: z.string().nullable(),
  started_at: z.string(),
  ended_at: z.string(),
});
export type Outcome = z.output<typeof outcomeSchema>;

/** `result.json`: the trainer's last act. */
export const resultSchema = z.object({
  schema: z.literal(1),
  name: z.string(),
  kind: z.enum(jobKinds),
  steps_planned: count.nullable(),
  steps_done: count.nullable(),
  first_step: count.nullable(),
  resumed_from_step: count.nullable(),
  finite: z.boolean(),
  rows: count.nullable(),
  seconds: z.number().min(0),
});
export type TrainerResult = z.output<typeof resultSchema>;

/** One line of `metrics.jsonl`. */
export const metricsRowSchema = z.looseObject({
  step: z.number(),
  attempt: z.int().optional(),
  time: z.union([z.number(), z.string()]).optional(),
  total_steps: z.number().nullish(),
  loss: z.number().nullish(),
  reward: z.number().nullish(),
  reward_l1: z.number().nullish(),
  reward_format: z.number().nullish(),
  response_length: z.number().nullish(),
  rows: z.number().nullish(),
  non_finite: z.array(z.string()).optional(),
});
export type MetricsRow = z.output<typeof metricsRowSchema>;

/** A line of `answers.jsonl`: answers that GRPO sampled in a step, each to another prompt, with people's score. */
export const sampledStepSchema = z.object({
  step: z.number(),
  answers: z.array(z.object({ text: z.string(), mos: z.number() })),
});
export type SampledStep = z.output<typeof sampledStepSchema>;

/**
 * One pair of the dataset: a line of `pairs.jsonl`. Image paths are relative to the dataset's folder. The published forms
 * of IE-Bench have only the overall MOS, so the three sub-scores may be absent.
 */
const score = z.number().min(1).max(5);
/** PATH_MAX of Linux. */
const imagePath = z.string().min(1).max(4096);
const instruction = z
  .string()
  .max(2000)
  .refine((text) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(text), 'expected a text with something to see')
  .refine((text) => text.isWellFormed(), 'expected Unicode without half a pair of surrogates');
export const pairSchema = z.object({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  source_id: z.string().min(1).max(1024),
  split: z.enum(['train', 'dev', 'test']),
  instruction,
  source_image: imagePath,
  edited_image: imagePath,
  mos: z.object({
    overall: score,
    alignment: score.optional(),
    fidelity: score.optional(),
    quality: score.optional(),
  }),
  method: z.string().min(1).max(1024),
  /** What a person wrote about the edit. `synthesis: human` learns from it. */
  critique: z
    .string()
    .max(20_000)
    .refine((text) => text.isWellFormed() && text.trim() !== '', 'expected a text of Unicode that is not blank')
    .exactOptional(),
});
export type Pair = z.output<typeof pairSchema>;

/** JSON with object keys sorted at every level: equal values give equal text. Used for artifact keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
