/**
 * The recipe: what an operator writes (YAML) and what is checked at the edge with zod. Keys are snake_case, as on disk.
 * Workflows import the types only. It does not read files and does not resolve paths: that is the CLI's work.
 */
import * as z from 'zod';
import { cut, describeIssue } from './errors.ts';
import type { Misfit } from './engines/engine.ts';
import { engineOfKind, engines } from './engines/registry.ts';
import { failureClasses, isSafeName } from './names.ts';
import { criticPromptVersions, isEditedOnly, teacherPromptVersions } from './critique/prompt.ts';

const name = z
  .string()
  .refine((value) => isSafeName(value, 24), 'expected 1 to 24 of letters, digits, ".", "_" and "-", no leading dot');
const positiveInt = z.int().positive();
const fraction = z.number().min(0).max(1);
const usd = z.number().min(0);
/** PATH_MAX of Linux: no longer path can be opened. */
const somePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((value) => !value.includes('\0'), 'expected a path without NUL');
/** What slurmrestd takes in a URL and every release in a request. Slurm's own names are narrower. */
const slurmName = (expected: string, pattern: RegExp) => z.string().max(255).regex(pattern, `expected ${expected}`);
const oneSlurmName = slurmName('letters, digits, "_", ".", "@", "+" and "-"', /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/);
const slurmNames = slurmName(
  'names of letters, digits, "_", ".", "@", "+" and "-", several with commas between',
  /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*(?:,[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*$/,
);
const nodeName = slurmName('letters, digits, "_", "." and "-"', /^[A-Za-z0-9][A-Za-z0-9_.-]*$/);

/**
 * Where the dataset is and how to read it; a bare string is its `path`. `form`: our own `pairs.jsonl`, IE-Bench's text files
 * (`train.txt`, `val.txt`, `src/`, `dst/`) or its parquet files; `auto` looks which one is there. `shared_sources`: what
 * a source image in two splits is: a fault, or something to report. IE-Bench's published splits share most of theirs.
 */
const dataset = z.preprocess(
  (value) => (typeof value === 'string' ? { path: value } : value),
  z.strictObject({
    path: somePath,
    form: z.enum(['auto', 'pairs', 'text', 'parquet']).default('auto'),
    shared_sources: z.enum(['refuse', 'report']).default('refuse'),
  }),
);

/** Resources of a job. `memory_mib` and `time_limit_minutes` are per node and per attempt. */
const resources = z.strictObject({
  partition: slurmNames.optional(),
  account: oneSlurmName.optional(),
  qos: oneSlurmName.optional(),
  nodes: positiveInt.max(64).default(1),
  gpus_per_node: z.int().min(0).max(16).default(1),
  gpu_type: nodeName.optional(),
  cpus: positiveInt.max(512).default(1),
  memory_mib: positiveInt.optional(),
  time_limit_minutes: positiveInt.max(60 * 24 * 14),
  exclude_nodes: z.array(nodeName).default([]),
});

/** USD per million tokens. `batch_discount` is the share taken off in the Batch API. */
const prices = z.strictObject({ input: usd, cached_input: usd, output: usd, batch_discount: fraction.default(0.5) });

/** How the Batch API is used, where `api` is `batch`. Limits of one file are OpenAI's own (API reference, "Create batch"). */
const batch = z.strictObject({
  /** Prompt tokens that may stand in batches at once: the account's batch queue limit for this model. */
  queued_tokens: positiveInt.default(1_350_000),
  requests_per_batch: positiveInt.max(50_000).default(50_000),
  shard_bytes: positiveInt.max(200_000_000).default(190_000_000),
  poll_seconds: z.number().positive().max(3600).default(60),
  completion_window: z.literal('24h').default('24h'),
});

const synthesis = z.strictObject({
  model: z.string().min(1).max(256),
  prompt: z.enum(teacherPromptVersions).default('teacher-v1'),
  /** One by one, or in batches: cheaper, within a day. Both fill the same answers; a recipe may change it at any time. */
  api: z.enum(['chat', 'batch']).default('chat'),
  batch: batch.prefault({}),
  detail: z.enum(['low', 'high']).default('high'),
  temperature: z.number().min(0).max(2).default(0.7),
  max_tokens: positiveInt.max(16_384).default(800),
  request_timeout_seconds: positiveInt.max(600).default(120),
  /** Requests in flight at most. Their number follows from the limits and from how long answers take; pictures of those alone are in memory. */
  concurrency: positiveInt.max(1024).default(256),
  requests_per_minute: positiveInt,
  tokens_per_minute: positiveInt,
  tries_per_row: positiveInt.max(10).default(3),
  minimum_yield: fraction.default(0.95),
  budget_usd: usd,
  prices,
  filter: z
    .strictObject({
      min_words: positiveInt.default(80),
      max_words: positiveInt.default(600),
      near_duplicate: fraction.nullable().default(0.9),
    })
    .prefault({}),
});

const sft = z.strictObject({
  batch_size: positiveInt,
  gradient_accumulation: positiveInt.default(1),
  learning_rate: z.number().positive().max(1),
  epochs: z.number().positive().max(100),
  warmup_ratio: fraction.default(0.1),
  cutoff_len: positiveInt,
  save_steps: positiveInt,
  threads: positiveInt.default(1),
  llamafactory: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()], 'expected a text, a number, true or false'))
    .default({}),
  resources,
});

const reward = z.strictObject({
  shape: z.enum(['l1', 'l2', 'gaussian', 'laplace']).default('l1'),
  format_weight: z.number().min(0).max(10).default(1),
  floor: fraction.default(0.05),
});

const grpo = z.strictObject({
  steps: positiveInt,
  prompts_per_step: positiveInt,
  generations: z.int().min(2).max(64),
  learning_rate: z.number().positive().max(1),
  temperature: z.number().positive().max(2).default(1),
  beta: z.number().min(0).default(0),
  epsilon: z.number().positive().max(1).default(0.2),
  epsilon_high: z.number().positive().max(1).default(0.28),
  max_completion_length: positiveInt,
  save_steps: positiveInt,
  threads: positiveInt.default(1),
  reward: reward.prefault({}),
  resources,
});

const predict = z.strictObject({
  batch_size: positiveInt,
  max_new_tokens: positiveInt,
  sampled_temperature: z.number().positive().max(2).default(1),
  threads: positiveInt.default(1),
  resources,
});

/** When a critic becomes champion; scores and margin are MainScore, which lies in [−1, 1]. */
const gate = z.strictObject({
  champion: name,
  min_readable: fraction.default(0.95),
  min_main_score: z.number().min(-1).max(1),
  /** The 95 % interval of candidate − champion, and of candidate − reference, must not reach below −margin. */
  margin: z.number().min(0).max(2).default(0.03),
  /** Run of an earlier champion to be the fixed reference; else it is the last one that was shown better than its own. */
  reference: z
    .string()
    .refine((value) => isSafeName(value), 'expected the name of a run')
    .optional(),
});

/** What to do after one class of failure; what is left out stays as `domain/jobs/failure-policy.ts` has it. */
const rule = z
  .strictObject({
    /** Times this class may be retried; 0 asks the operator at once. */
    retries: z.int().min(0).max(1000),
    resume: z.boolean(),
    exclude_node: z.boolean(),
    /** Whether such an attempt counts against `max_attempts`. */
    counted: z.boolean(),
    /** Two such attempts without progress ask the operator. */
    needs_progress: z.boolean(),
  })
  .partial();

const retries = z.strictObject({
  max_attempts: positiveInt.max(50).default(6),
  policy: z.partialRecord(z.enum(failureClasses), rule).default({}),
});

/** When a running job counts as stalled, and when it is asked to checkpoint. Seconds. */
const watch = z.strictObject({
  /** No new metrics row for this many times the job's own median row … */
  stall_factor: z.number().min(2).max(1000).default(10),
  /** … but at least this long: evaluations and checkpoints write no rows. */
  stall_seconds: positiveInt.default(600),
  /** Before there are two rows: loading a 7B model and its dataset takes many minutes. */
  first_row_seconds: positiveInt.default(3600),
  /** This long before its time limit a job is asked to checkpoint: one step and one checkpoint must fit. */
  checkpoint_seconds: positiveInt.default(180),
});

const recipe = z.strictObject({
  name,
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  dataset,
  base_model: somePath,
  prompt: z.enum(criticPromptVersions),
  synthesis,
  mix: z.strictObject({ direct_per_reasoning: z.number().min(0).max(10).default(1) }).prefault({}),
  sft,
  grpo,
  predict,
  gate,
  retries: retries.prefault({}),
  watch: watch.prefault({}),
});

export const recipeSchema = recipe.superRefine((given, context) => {
  for (const { path, input, message } of findMisfits(given)) {
    context.addIssue({ code: 'custom', path, message, input });
  }
});

/** What each field by itself does not show: values that would fail, or pay for nothing, only once a stage is reached. */
function findMisfits(given: z.output<typeof recipe>): Misfit[] {
  const { prompt, synthesis: teacher } = given;
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, where: string, input: unknown, message: string) => {
    if (!holds) misfits.push({ path: where.split('.'), input, message: `expected ${message}` });
  };
  const teacherPrompt = isEditedOnly(prompt) ? 'teacher-edited-v1' : 'teacher-v1';
  expect(
    isEditedOnly(prompt) === isEditedOnly(teacher.prompt),
    'synthesis.prompt',
    teacher.prompt,
    `"${teacherPrompt}", since the critic is asked with "${prompt}": both see the same pictures`,
  );
  const { min_words: min, max_words: max } = teacher.filter;
  expect(min <= max, 'synthesis.filter.min_words', min, `at most max_words, ${max}: no answer could be kept`);
  const { tokens_per_minute: tokens, max_tokens: answer } = teacher;
  const least = `more than max_tokens, ${answer}: no request could be sent`;
  expect(tokens > answer, 'synthesis.tokens_per_minute', tokens, least);
  const ofEngines = {
    sft: engines[engineOfKind.sft].misfits(given.sft),
    grpo: engines[engineOfKind.grpo].misfits(given.grpo),
    predict: engines[engineOfKind.predict].misfits(given.predict),
  };
  for (const [kind, found] of Object.entries(ofEngines)) {
    misfits.push(...found.map((misfit) => ({ ...misfit, path: [kind, ...misfit.path] })));
  }
  return misfits;
}

/** A checked recipe, defaults filled in. `dataset.path` and `base_model` are absolute once the CLI has read it. */
export type Recipe = z.output<typeof recipeSchema>;
export type Resources = z.output<typeof resources>;
export type DatasetSettings = z.output<typeof dataset>;
export type SynthesisSettings = z.output<typeof synthesis>;
export type WatchSettings = z.output<typeof watch>;
export type PolicyOverrides = Recipe['retries']['policy'];
export type RewardSettings = z.output<typeof reward>;

/** Faults of an unknown value as a recipe, each `field: message`; empty when it is a recipe. */
export function checkRecipe(value: unknown): { recipe: Recipe } | { faults: string[] } {
  const result = recipeSchema.safeParse(value, { reportInput: true });
  if (result.success) return { recipe: result.data };
  return { faults: result.error.issues.flatMap(faultsOf) };
}

function faultsOf(issue: z.core.$ZodIssue): string[] {
  const field = cut(['recipe', ...issue.path.map((part) => cut(String(part)))].join('.'));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${field}.${cut(key)}: unknown key`);
  return [`${field}: ${describeIssue({ message: issue.message, input: issue.input })}`];
}
