/** What the report's page is made of: plain values. `gather.ts` gathers them, `page.ts` renders them. */
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import type { Evaluation } from '../../domain/evaluation/evaluation.ts';
import type { EndedJob } from '../../domain/jobs/job-life.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import type { Stage } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { Recipe } from '../../domain/recipe.ts';
import type { GateDecision } from '../gate/gate.ts';

export interface Point {
  x: number;
  y: number;
}

/** One logged number against step. `resumes` are the steps at which a later attempt went on. */
export interface Series {
  points: Point[];
  resumes: { step: number; attempt: number }[];
}

/** A picture as a data URL, or why it is not embedded. */
export type Picture = { url: string; width: number; height: number } | { missing: string };

export interface Sample {
  id: string;
  /** Its row in the predictions' file, from 0. */
  row: number;
  instruction: string;
  mos: number;
  /** null: the answer cannot be read. */
  predicted: number | null;
  answer: string;
  source: Picture;
  edited: Picture;
  why: string;
}

/** What the workflow hands over. */
export interface ReportInput {
  plan: RunPlan;
  /** What the run has. Parts without an artifact are left out of the page. */
  artifacts: Partial<Record<Stage, ArtifactRef>>;
  gate: GateDecision | undefined;
  jobs: EndedJob[];
  startedAt: string;
}

export interface ReportArtifact {
  stage: Stage;
  key: string;
  madeBy: string;
  /** This run made it, and did not find it from another run. */
  fresh: boolean;
  usd: number | undefined;
  tokens: number | undefined;
  gpuHours: number | undefined;
  seconds: number | undefined;
}

export type Fact = readonly [name: string, value: string];

export interface ReportData {
  run: string;
  recipe: Recipe;
  startedAt: string;
  finishedAt: string;
  gate: GateDecision | undefined;
  evaluation: Evaluation | undefined;
  training: { loss: Series; reward: Series; responseLength: Series };
  predicted: { model: 'base' | 'sft' | 'grpo'; points: Point[] }[];
  samples: Sample[];
  findings: { level: 'good' | 'warning'; sentence: string }[];
  jobs: EndedJob[];
  artifacts: ReportArtifact[];
  /** What was expected before anything was spent. */
  estimate: RunEstimate | undefined;
  /** Requests to the teacher that were sent, may have been paid, and brought nothing: pair, request key, USD at most. */
  uncertain: { id: string; request: string; usd: number }[];
  facts: Fact[];
  sources: Sources;
  /** Where else one can look, as URLs. Parts that nobody serves are undefined. */
  links: { temporal?: string };
}

/** Files that the page cites, from the store's root. Undefined: the run has none. */
export interface Sources {
  /** `report.json`, and the run's plan. */
  report: string;
  plan: string;
  evaluation?: string;
  sft?: string;
  grpo?: string;
  /** The last critic's answers. */
  predictions?: string;
}

/** Names of models as every table and chart has them. */
export const modelLabels = {
  base: 'base',
  sft: 'after SFT',
  grpo: 'after GRPO',
  constant: 'constant predictor',
} as const;
