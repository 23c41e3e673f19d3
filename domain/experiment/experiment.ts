/**
 * Experiments: one question asked by many runs. Arms are overrides of one recipe; each arm has a run for each seed. The file is checked once
 * (`input/experiment-file.ts`), and travels as plain data into the workflow that begins the runs.
 */
import type { MetricName } from '../evaluation/evaluation.ts';
import { isSafeName, type Stage } from '../names.ts';
import type { Recipe } from '../recipe.ts';

/** Runs of one experiment at most: they travel in one payload, which is to stay under 100 KiB (`packing.ts`). */
export const mostMembers = 64;
/** Characters of an experiment's and of an arm's name at most. */
export const experimentChars = 24;

/** One run of an experiment. */
export interface Member {
  arm: string;
  seed: number;
  recipe: Recipe;
  /** A run of the same member that ended early: this one goes on from its checkpoints. */
  resumes?: string;
}

/** Metrics that mean the same in every arm. A reward does not: arms may be rewarded differently. */
export const comparedMetrics = [
  'main_score',
  'srcc',
  'plcc_fit',
  'plcc',
  'krcc',
  'rmse',
  'readable',
  'tokens_sampled',
  'tokens_greedy',
] as const satisfies readonly MetricName[];
export type ComparedMetric = (typeof comparedMetrics)[number];

/** Metrics as people read them. */
export const metricWords: Readonly<Record<ComparedMetric, string>> = {
  main_score: 'MainScore',
  srcc: 'SRCC',
  plcc_fit: 'PLCC fit',
  plcc: 'PLCC',
  krcc: 'KRCC',
  rmse: 'RMSE',
  readable: 'readable share',
  tokens_sampled: 'tokens at T = 1',
  tokens_greedy: 'tokens, greedy',
};

/** Which number a direction speaks of: of the critic after GRPO, of that after SFT, or how much GRPO changed it. */
export const quantityOfs = ['grpo', 'sft', 'gain'] as const;
export type QuantityOf = (typeof quantityOfs)[number];

/** A sentence that somebody has published, in a form that intervals can judge (`directions.ts`). */
export interface Direction {
  /** The sentence itself. */
  says: string;
  /** Where it stands, for people. */
  source?: string;
  metric: ComparedMetric;
  of: QuantityOf;
  arm: string;
  is: 'higher' | 'lower';
  /** Than that of this arm. Undefined: than zero. */
  than?: string;
}

export interface ArmFacts {
  name: string;
  /** What differs from the recipe: dotted fields with their values. */
  set: Record<string, unknown>;
}

export interface Experiment {
  schema: 1;
  name: string;
  /** What it asks, in one sentence. */
  question: string;
  /** The arm that others are compared with. */
  baseline: string;
  /** Runs under way at once at most. */
  at_most: number;
  arms: ArmFacts[];
  seeds: number[];
  members: Member[];
  directions: Direction[];
  owner?: string;
}

/** Which experiment a run belongs to. Part of its plan. */
export interface Membership {
  /** Id of the experiment, which is its workflow's. */
  id: string;
  arm: string;
  seed: number;
}

/** Id of an experiment, which is its workflow's: `experiment-<name>-<yyyymmdd>-<hhmmss>`, UTC. At most 51 characters. */
export function experimentId(name: string, startedAt: Date): string {
  const stamp = startedAt
    .toISOString()
    .replace(/[-:]/g, '')
    .replace(/\.\d+Z$/, '')
    .replace('T', '-');
  return `experiment-${name}-${stamp}`;
}

/** Is `name` the name of an experiment or an arm? 1 to 24 letters, digits, `.`, `_` and `-`, no leading dot. */
export function isExperimentName(name: string): boolean {
  return isSafeName(name, experimentChars);
}

/** Runs are called after their recipe, and their ids hold so much of its name (`recipeInRun`). */
const recipeChars = 22;

/** The name of a member's recipe, after which its run is called: experiment and arm, the seed where there are several. At most 22 characters. */
export function memberName(experiment: string, arm: string, seed: number, seeds: number): string {
  const end = `.${arm}${seeds > 1 ? `.s${seed}` : ''}`;
  const begin = experiment.slice(0, Math.max(3, recipeChars - end.length)).replace(/[._-]+$/, '');
  return `${begin}${end}`.slice(0, recipeChars).replace(/[._-]+$/, '');
}

/** How the run of a member ended, or why it has none. */
export const memberEnds = ['passed', 'not-passed', 'failed', 'cancelled'] as const;
export type MemberEnd = (typeof memberEnds)[number];

/** A member as people see it. */
export interface MemberView {
  arm: string;
  seed: number;
  status: 'pending' | 'running' | MemberEnd;
  /** Null before it begins. */
  run: string | null;
  /** MainScore in [−1, 1]; null before the end, and where it is undefined. */
  mainScore: number | null;
  /** Why it failed. */
  sentence?: string;
}

/** A member whose run has ended, with the keys of its artifacts by stage: what a run has made outlives its history in Temporal. */
export interface EndedMember extends MemberView {
  artifacts: Partial<Record<Stage, string>>;
}

/** What the workflow shows of itself. */
export interface ExperimentView {
  id: string;
  name: string;
  status: 'running' | 'reporting' | 'done' | 'cancelled' | 'failed';
  members: MemberView[];
}

/** What the workflow gives back. */
export interface ExperimentResult {
  id: string;
  /** Path of the page as the worker sees it. */
  report: string;
  /** The table for a terminal, of at most 8,000 characters. */
  summary: string;
  members: MemberView[];
}
