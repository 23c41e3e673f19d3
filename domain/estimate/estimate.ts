/**
 * Estimates: what a run will ask, cost and take, before it spends anything. Pure sums: activities gather what is looked up (keys,
 * answers, earlier jobs). A run keeps its own estimate, and the report shows it beside what the run took.
 */
import { batchPrices, cost } from './budget.ts';
import type { Params, Planned } from '../engines/engine.ts';
import type { CheckpointSize } from './checkpoint-size.ts';
import { engines } from '../engines/registry.ts';
import { type KillCost, killCost } from './kill-cost.ts';
import type { Stage } from '../names.ts';
import type { SynthesisSettings } from '../recipe.ts';
import type { JobNode } from '../stage-graph.ts';

/**
 * Output tokens of one critique in our JSON, for a teacher that has not answered yet. The 49 published critiques at hand have 350
 * on average and 454 at most, in our JSON and counted with gpt-4o's tokenizer (o200k_base).
 */
export const usualOutputTokens = 350;

/** Prompt tokens of one request. `images` is what the pictures add. */
export interface RequestTokens {
  text: number;
  images: number;
}

export interface SynthesisEstimate {
  /** Rows of the train split, and how many of them need no asking. */
  rows: number;
  answered: number;
  /** Tokens of one request for each row that is left. `input` includes `images`. */
  tokens: { input: number; images: number; output: number };
  /** USD. `expected`: each row answered once, at usual length. `atMost`: each row with all its tries at `max_tokens`. `spent`: paid already. */
  usd: { expected: number; atMost: number; spent: number; cap: number };
}

/** What asking these rows will cost. `meanOutput`: tokens of an answer; more than `max_tokens` counts as that. */
export function estimateSynthesis(
  left: readonly RequestTokens[],
  known: { answered: number; spent: number; meanOutput: number },
  settings: Pick<SynthesisSettings, 'api' | 'max_tokens' | 'tries_per_row' | 'prices' | 'budget_usd'>,
): SynthesisEstimate {
  const { api, max_tokens: maxTokens, tries_per_row: tries, budget_usd: cap } = settings;
  const prices = api === 'batch' ? batchPrices(settings.prices) : settings.prices;
  const images = left.reduce((sum, one) => sum + one.images, 0);
  const input = images + left.reduce((sum, one) => sum + one.text, 0);
  const output = Math.round(left.length * Math.min(known.meanOutput, maxTokens));
  const usd = (tokens: number) => cost({ input, cachedInput: 0, output: tokens }, prices);
  return {
    rows: left.length + known.answered,
    answered: known.answered,
    tokens: { input, images, output },
    usd: { expected: usd(output), atMost: tries * usd(left.length * maxTokens), spent: known.spent, cap },
  };
}

/** Would this synthesis exceed its cap if every row were answered once, at usual length? */
export function isOverBudget({ usd: { expected, spent, cap } }: SynthesisEstimate): boolean {
  return spent + expected > cap;
}

/** Time and GPU-hours of a job. `seconds` and `gpuHours.expected` are null if no earlier job tells them. */
export interface JobEstimate {
  steps: number | null;
  rows: number | null;
  seconds: number | null;
  /** `atMost`: one attempt up to its time limit. */
  gpuHours: { expected: number | null; atMost: number };
  /** The run whose job of this stage was measured. */
  measuredIn: string | null;
  /** Of a training. */
  kill?: KillCost;
}

/** A job that was run: optimiser steps or rows, the parameters of its artifact's key, and its seconds. */
export interface MeasuredJob {
  run: string;
  amount: number;
  params: Readonly<Record<string, unknown>>;
  seconds: number;
}

/** Made from the time that an earlier job took for each record, answer or row. It supposes the same hardware. */
export function estimateJob(
  { engine, params, resources }: Pick<JobNode, 'engine' | 'params' | 'resources'>,
  planned: Planned,
  measured: MeasuredJob | undefined,
): JobEstimate {
  const { nodes, gpus_per_node: gpus, time_limit_minutes: minutes } = resources;
  const unitsOf = (amount: number, of: Readonly<Params>) => amount * engines[engine].unitsEach(of);
  const units = unitsOf(planned.steps ?? planned.rows ?? 0, params);
  const before = measured && unitsOf(measured.amount, measured.params);
  const seconds = before ? (measured.seconds / before) * units : null;
  const kill = killCost({ engine, params }, planned, seconds);
  return {
    ...planned,
    ...(kill === undefined ? {} : { kill }),
    seconds,
    gpuHours: {
      expected: seconds === null ? null : (nodes * gpus * seconds) / 3600,
      atMost: (nodes * gpus * minutes) / 60,
    },
    measuredIn: seconds === null ? null : (measured?.run ?? null),
  };
}

export interface StageEstimate {
  stage: Stage;
  /** `reuse`: its artifact exists. */
  action: 'reuse' | 'make';
  key: string;
  job?: JobEstimate;
  synthesis?: SynthesisEstimate;
}

/** A job that a run would submit, as its first attempt would be. `request` and `attempt` are plain JSON. */
export interface JobPreview {
  stage: Stage;
  /** What Slurm would be asked for (`JobRequest`). */
  request: Record<string, unknown>;
  /** `attempt.json`: what the trainer would get. */
  attempt: Record<string, unknown>;
  /** The engine's own settings and the name of their file; null if it has none, or could not be asked. */
  settings: { file: string; values: Record<string, unknown> } | null;
}

/** What a plan shows and a run's estimate does not keep. */
export interface Previews {
  jobs: JobPreview[];
  /** Sentences on what could not be shown or checked. */
  notes: string[];
}

/** What the trainings that a run would do need in the store, and what is free there, in bytes. */
export interface DiskEstimate {
  free: number;
  jobs: { stage: Stage; parameters: number; size: CheckpointSize }[];
}

/** Stages with an artifact, in the order in which they are made. */
export interface RunEstimate {
  schema: 1;
  recipe: string;
  dataset: Record<string, number>;
  stages: StageEstimate[];
  /** Of a plan. */
  previews?: Previews;
  disk?: DiskEstimate;
}
