/**
 * Names: how runs, attempts, Slurm jobs and activities are called, the names of task queues and search attributes, and paths below a
 * store. It does no I/O and joins paths with `/` only.
 */

/** Kinds of Slurm jobs, as `attempt.json` names them. */
export const jobKinds = ['tokenize', 'sft', 'grpo', 'predict'] as const;
export type JobKind = (typeof jobKinds)[number];

/** What a stage does. Which stages a run has follows from its recipe: `domain/stage-graph.ts`. */
const stageKinds = ['dataset', 'synthesis', 'prompts', 'mix', ...jobKinds, 'evaluation', 'gate', 'report'] as const;
export type StageKind = (typeof stageKinds)[number];

/** Name of a stage: its kind, then which one where a run has several of that kind. `sft`, `predict-base`. */
export type StageOf<Kind extends StageKind> = Kind | `${Kind}-${string}`;
export type Stage = { [Kind in StageKind]: StageOf<Kind> }[StageKind];
/** A stage whose work is a Slurm job. */
export type JobStage = { [Kind in JobKind]: StageOf<Kind> }[JobKind];

/** Characters of a stage's name at most. */
const stageChars = 24;
const stageName = new RegExp(`^(?:${stageKinds.join('|')})(?:-[a-z0-9]+(?:[._][a-z0-9]+)*)?$`);

/** Is `text` the name of a stage? At most 24 characters: a kind alone, or a kind, `-`, and lower-case letters, digits, `.` and `_`. */
export function isStage(text: string): text is Stage {
  return text.length <= stageChars && stageName.test(text);
}

/** Is `text` the name of a stage whose work is a Slurm job? */
export function isJobStage(text: string): text is JobStage {
  return isStage(text) && jobKinds.some((kind) => isOf(kind, text));
}

/** Kind of a job's work. Throws for a name that is none of a job: a bug. */
export function jobKind(stage: JobStage): JobKind {
  const kind = jobKinds.find((one) => isOf(one, stage));
  if (kind === undefined) throw new Error(`no kind of job in the name of stage "${stage}"`);
  return kind;
}

/** Is the job's work counted in rows? Else in optimiser steps. */
export function countsRows(stage: JobStage): boolean {
  return ['tokenize', 'predict'].includes(jobKind(stage));
}

function isOf(kind: StageKind, stage: string): boolean {
  return stage === kind || stage.startsWith(`${kind}-`);
}

/** What to write where the name of a stage is expected. */
export const stageExpected = `one of ${stageKinds.join(', ')}, or one of these with which one of its kind, such as predict-base`;

/** How an attempt can fail. `domain/jobs/failure-policy.ts` says what follows. Recipes have these names as keys. */
export const failureClasses = [
  'checkpointed',
  'time-limit',
  'preempted',
  'requeued',
  'refused',
  'node-failed',
  'launch-failed',
  'stalled',
  'out-of-memory',
  'gpu-out-of-memory',
  'bad-data',
  'bad-config',
  'try-again',
  'bug',
  'killed',
  'cancelled-by-other',
  'postcondition-failed',
  'lost',
  'unknown',
] as const;
export type FailureClass = (typeof failureClasses)[number];

/**
 * Temporal task queues: workflows · submit, cancel, collect · watchers (many slots) · calls to the LLM. Those of a cluster with a name have it behind an `@`
 * (`domain/clusters.ts`).
 */
export const taskQueues = {
  workflows: 'critic',
  cluster: 'critic-cluster',
  watch: 'critic-watch',
  llm: 'critic-llm',
} as const;

/**
 * The part of a visibility query that finds open workflows: those that run, and those that `temporal workflow pause` of newer servers has paused, which are not
 * `Running` there. The word `Paused` itself is an error on servers that do not know it (1.29).
 */
export const isOpen = 'CloseTime IS NULL';

/** The Temporal schedule of a night, and the prefix of the ids of the workflows that it starts. */
export function nightScheduleId(night: string): string {
  return `critic-night-${night}`;
}

/** Search attributes and their Temporal types. The local stack registers them at every start. They hold no secret. */
export const searchAttributes = {
  CriticRecipe: 'KEYWORD',
  CriticStage: 'KEYWORD',
  CriticStatus: 'KEYWORD',
  CriticJobId: 'KEYWORD',
  CriticScore: 'DOUBLE',
  CriticNight: 'KEYWORD',
  CriticOwner: 'KEYWORD',
  CriticWaitingSince: 'DATETIME',
} as const;

/**
 * Value of the `CriticStatus` search attribute. `waiting` = a person must answer, or mend why a job cannot start. `paused` = an operator has
 * stopped it for a while. The attribute says `pausing` while that is not done yet.
 */
export const runStatuses = ['running', 'waiting', 'paused', 'passed', 'not-passed', 'cancelled', 'aborted'] as const;
export type RunStatus = (typeof runStatuses)[number];

const safeName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Is `name` safe as a path segment, a Slurm job name and a workflow id? 1–`max` of `[A-Za-z0-9._-]`, no leading dot. */
export function isSafeName(name: string, max = 64): boolean {
  return name.length >= 1 && name.length <= max && safeName.test(name) && !name.includes('..');
}

/** How many characters of a recipe's name its runs' ids begin with. */
const recipeChars = 22;

/** The part of a recipe's name that its runs' ids hold, which is what `recipeOfRun` returns. */
export function recipeInRun(recipeName: string): string {
  return recipeName.slice(0, recipeChars);
}

/**
 * Id of a run, which is also its Temporal workflow id: `<recipe>-<yyyymmdd>-<hhmmss>`, UTC. At most 38 characters, so
 * that the name of any attempt up to the 9,999th has at most 76. Unique only if no run of it started in the same second.
 */
export function runId(recipeName: string, startedAt: Date): string {
  const stamp = startedAt
    .toISOString()
    .replace(/[-:]/g, '')
    .replace(/\.\d+Z$/, '')
    .replace('T', '-');
  return `${recipeInRun(recipeName)}-${stamp}`;
}

/** `recipeInRun` of the recipe that a run was started from, read from the run's id. Undefined for an id of another form. */
export function recipeOfRun(run: string): string | undefined {
  return /^(.+)-\d{8}-\d{6}$/.exec(run)?.[1];
}

/**
 * Name of one attempt of one job: the Slurm job name and the key of exactly-once submission. Unique per run, stage and
 * attempt; it does not change when Temporal resets the workflow.
 */
export function attemptName(run: string, stage: JobStage, attempt: number): string {
  return `critic-${run}-${stage}-a${attempt}`;
}

const attemptPattern = new RegExp(`^critic-(.+?)-(${stageName.source.slice(1, -1)})-a(\\d+)$`);

/**
 * Reads an attempt's name back, or returns undefined for a job that is not ours. Of `…-predict-sft-a1` the stage is
 * `predict-sft`, not `sft`: the run's part is as short as it can be. It never ends in a kind of stage, but in a time.
 */
export function parseAttemptName(name: string): { run: string; stage: JobStage; attempt: number } | undefined {
  const [, run, stage, attempt] = attemptPattern.exec(name) ?? [];
  if (run === undefined || stage === undefined || !isJobStage(stage)) return undefined;
  return { run, stage, attempt: Number(attempt) };
}

/** Stable, readable activity id, e.g. `grpo-a2-watch`. */
export function activityId(stage: Stage, attempt: number, verb: string): string {
  return `${stage}-a${attempt}-${verb}`;
}

/** Paths below a store's root. All absolute if `store` is. */
export const paths = {
  artifact: (store: string, stage: Stage, key: string) => `${store}/artifacts/${stage}/${key}`,
  artifactManifest: (store: string, stage: Stage, key: string) => `${store}/artifacts/${stage}/${key}/manifest.json`,
  run: (store: string, run: string) => `${store}/runs/${run}`,
  attempt: (store: string, run: string, stage: JobStage, attempt: number) =>
    `${store}/runs/${run}/jobs/${stage}/a${attempt}`,
  trainerCode: (store: string, hash: string) => `${store}/code/${hash}`,
  champions: (store: string, name: string) => `${store}/champions/${name}`,
  /** What people are told: one file a notice, and what became of it at each channel. */
  notices: (store: string) => `${store}/notices`,
  /** Scores of pairs that no recipe has. */
  scores: (store: string, id: string) => `${store}/scores/${id}`,
  /** Agreement of a critic with people on another dataset. */
  evaluations: (store: string, id: string) => `${store}/evaluations/${id}`,
  /** The report of an experiment. */
  experiment: (store: string, id: string) => `${store}/experiments/${id}`,
  night: (store: string, name: string) => `${store}/nights/${name}`,
  /** Which run makes an artifact now. */
  makers: (store: string) => `${store}/makers`,
  /** Which jobs have a turn, and which wait for one. */
  turns: (store: string) => `${store}/turns`,
  pins: (store: string) => `${store}/pins`,
} as const;

/** Files inside an attempt's directory; see docs/ARCHITECTURE.md, "The attempt directory". */
export const attemptFiles = {
  manifest: 'attempt.json',
  /** Ours: which artifact it is to make. */
  key: 'key.json',
  claim: 'claim',
  outcome: 'outcome.json',
  result: 'result.json',
  metrics: 'metrics.jsonl',
  /** Some of the answers that GRPO sampled. */
  answers: 'answers.jsonl',
  log: 'job.log',
  stacks: 'stacks.txt',
  output: 'output',
  checkpoints: 'checkpoints',
} as const;
