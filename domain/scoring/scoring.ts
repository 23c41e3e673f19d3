/**
 * Scoring: a critic that stands judges pairs that no recipe has in its dataset. `critic score` asks for scores; `critic evaluate` also says how far they agree with
 * people. Both are one workflow, `scorePairs`, with one job. Plain data.
 */
import type { Estimate } from '../evaluation/resampling.ts';
import type { MetricName } from '../evaluation/evaluation.ts';
import { type JobStage, runId, type Stage } from '../names.ts';
import type { PairMapping } from './mapping.ts';

/** The stages that a scoring shows: its pairs, the job, and what is written. */
export const scoringStages = {
  pairs: 'prompts-pairs',
  job: 'predict-pairs',
  report: 'report-pairs',
} as const satisfies Record<string, Stage>;

/** Pairs of one scoring at most. */
export const mostPairs = 100_000;
/** Sampled answers to each pair at most, as predictions have them. */
export const mostSamples = 64;

/** Which critic: a champion (without a version the newest one of its name), or what a stage of a run has made. */
export type ChosenCritic =
  | { champion: string; version?: number }
  | { run: string; stage: Extract<JobStage, 'sft' | 'grpo'> };

/** Where the pairs are. Paths are absolute, and as the worker sees them. */
export type PairSource =
  | { kind: 'pair'; source: string; edited: string; instruction: string }
  /** A CSV, TSV or JSON Lines file. */
  | { kind: 'table'; path: string }
  /** A folder with a table called `pairs`, or with `source/` and `edited/`. `instruction`: of those pairs that have none of their own. */
  | { kind: 'folder'; path: string; instruction?: string };

export interface ScoringOrder {
  schema: 1;
  /** Its workflow's id. */
  id: string;
  /** `evaluate`: compare with people's opinions too; each pair needs one then. */
  purpose: 'score' | 'evaluate';
  critic: ChosenCritic;
  pairs: PairSource;
  /** How a table calls its columns, and people's scale; absent: our own names, 1 to 5. */
  mapping?: PairMapping;
  /** Sampled answers to each pair, 1 to 64. Absent: as the recipe of the critic says. */
  samples?: number;
  /** A scoring that ended early: this one goes on from its checkpoints. */
  resumes?: string;
  /** Who asked for it; not checked. */
  owner?: string;
}

/** What a scoring found out before its job: paths, keys and counts. */
export interface ScoringCounts {
  /** Pairs that were named. */
  pairs: number;
  /** Of them, pairs that cannot be shown to a critic: a picture or a field is wrong. */
  refused: number;
}

/** What a scoring gives back. */
export interface ScoringResult extends ScoringCounts {
  id: string;
  purpose: ScoringOrder['purpose'];
  /** Pairs with a score. */
  scored: number;
  /** Pairs whose greedy answer gives no score. */
  unreadable: number;
  /** Of the critic: run and version of the champion, or run and stage. */
  critic: string;
  /** Agreement with people, by metric; null where there are no opinions. */
  metrics: Partial<Record<MetricName, Estimate>> | null;
  /** Paths as the worker sees them. */
  files: { html: string; jsonl: string; csv: string };
  /** The first rows, for a terminal; at most 8,000 characters. */
  summary: string;
}

/** Id of a scoring, such as `score-demo-20261129-031500`: what it is called after, and the second in which it begins (UTC). */
export function scoringId({ purpose, critic }: Pick<ScoringOrder, 'purpose' | 'critic'>, at: Date): string {
  const of = 'champion' in critic ? critic.champion : critic.run.replace(/-\d{8}-\d{6}$/, '');
  return runId(`${purpose}-${of}`.slice(0, 22).replace(/[._-]+$/, ''), at);
}

/** Such as `1 pair` and `200 pairs`. */
export function pairsInWords(count: number): string {
  return `${count} pair${count === 1 ? '' : 's'}`;
}

export function criticInWords(critic: ChosenCritic): string {
  return 'champion' in critic ? `champion ${critic.champion}` : `${critic.stage} of run ${critic.run}`;
}
