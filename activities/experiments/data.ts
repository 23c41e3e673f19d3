/** What the report of an experiment is made of: plain values. `gather.ts` gathers them, `page.ts` and `summary.ts` show them, `report.json` holds them. */
import type { EndedMember, Experiment, MemberView } from '../../domain/experiment/experiment.ts';
import type { ExperimentMeasures } from '../../domain/experiment/measuring.ts';

/** The experiment without the recipes of its runs. */
export type ExperimentFacts = Omit<Experiment, 'members'>;

export interface ExperimentReportInput {
  id: string;
  experiment: ExperimentFacts;
  members: EndedMember[];
}

export interface Spent {
  gpuHours: number;
  usd: number;
}

/** What a run has cost: for what it made itself, and for what it took from others, which was paid once. */
export interface MemberCost {
  own: Spent;
  taken: Spent;
}

export interface TrainingPoint {
  step: number;
  /** Mean tokens of the answers of a step; null where it was not logged. */
  length: number | null;
  /** Mean reward of a step, as the arm's own reward counts. */
  reward: number | null;
}

export interface MemberReport extends MemberView {
  cost: MemberCost | null;
  training: TrainingPoint[];
  /** Paths below the store of what the numbers are from; null: there is none. */
  files: { report: string; evaluation: string | null; metrics: string | null } | null;
  /** Why there are no numbers of it. */
  missing?: string;
}

/** What `report.json` holds. */
export interface ExperimentReport {
  schema: 1;
  id: string;
  experiment: ExperimentFacts;
  members: MemberReport[];
  measures: ExperimentMeasures;
  writtenAt: string;
}
