/**
 * `report.json` beside a run's report: what the page shows that no other file of the store has, or that is a sum of several. The page names this file as the source
 * of such numbers. Temporal forgets a run after some weeks; this keeps its jobs and its verdict.
 */
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import type { EndedJob } from '../../domain/jobs/job-life.ts';
import type { GateDecision } from '../gate/gate.ts';
import type { Fact, ReportArtifact, ReportData } from './data.ts';

export interface StageEstimate {
  stage: string;
  usd: number | null;
  seconds: number | null;
  gpuHours: number | null;
}

/** What it cost: USD of the teacher, hours of GPUs. */
export interface Spent {
  usd: number;
  gpuHours: number;
}

export interface ReportRecord {
  schema: 1;
  run: string;
  recipe: string;
  startedAt: string;
  finishedAt: string;
  /** null: the run had no gate. */
  gate: GateDecision | null;
  jobs: EndedJob[];
  facts: Fact[];
  /** This run alone; and with what earlier runs paid for what it reused. `jobs`: how many it ran. */
  spent: { run: Spent & { jobs: number }; all: Spent };
  /** What was expected of stages that had to be made. */
  estimates: StageEstimate[];
  uncertain: ReportData['uncertain'];
}

export function reportRecord(data: ReportData): ReportRecord {
  const { run, recipe, startedAt, finishedAt, gate, jobs, facts, artifacts, uncertain } = data;
  const fresh = artifacts.filter((artifact) => artifact.fresh);
  const ran = jobs.reduce((all, job) => all + job.gpuHours, 0);
  return {
    schema: 1,
    run,
    recipe: recipe.name,
    startedAt,
    finishedAt,
    gate: gate ?? null,
    jobs,
    facts,
    spent: {
      run: { usd: sum(fresh, 'usd'), gpuHours: ran, jobs: jobs.length },
      all: { usd: sum(artifacts, 'usd'), gpuHours: sum(artifacts, 'gpuHours') },
    },
    estimates: stageEstimates(data.estimate),
    uncertain,
  };
}

/** Stages that were to be made and cost something. */
function stageEstimates(estimate: RunEstimate | undefined): StageEstimate[] {
  return (estimate?.stages ?? []).flatMap(({ stage, job, synthesis }) =>
    job === undefined && synthesis === undefined
      ? []
      : [
          {
            stage,
            usd: synthesis === undefined ? null : synthesis.usd.expected + synthesis.usd.spent,
            seconds: job?.seconds ?? null,
            gpuHours: job?.gpuHours.expected ?? null,
          },
        ],
  );
}

function sum(artifacts: readonly ReportArtifact[], field: 'usd' | 'gpuHours'): number {
  return artifacts.reduce((all, artifact) => all + (artifact[field] ?? 0), 0);
}
