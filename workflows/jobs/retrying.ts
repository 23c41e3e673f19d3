/**
 * Retrying on request: what an operator wants of a job. If its stage asks, that is the answer. If the job is under way, it saves a checkpoint and ends,
 * and the next attempt goes on from there with the changes. What is wanted is part of the job's state, so it outlives a worker and a cut. If the
 * job completes before it can be ended, its artifact counts, and there is nothing to change any more. Synthesis under way stops and goes on under the new
 * cap, which is part of the run's plan.
 */
import { setHandler } from '@temporalio/workflow';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import { changeable, differsBy, type JobState } from '../../domain/jobs/job-state.ts';
import { isJobStage, type JobStage, type Stage } from '../../domain/names.ts';
import { answerFault, changesSomething, futileChange, type OperatorAnswer } from '../../domain/operator-answer.ts';
import type { Cut } from '../cut.ts';
import { invalid, refuse } from '../failure.ts';
import { askSlurm } from './asking-slurm.ts';
import { retryUpdate } from '../messages.ts';
import type { OperatorQuestions } from '../operator.ts';

interface Desk {
  operator: OperatorQuestions;
  cut: Cut;
  jobs: Partial<Record<JobStage, JobState>>;
  orders: Partial<Record<JobStage, JobOrder>>;
  steps: Partial<Record<Stage, (wanted: OperatorAnswer) => void>>;
}

export function takeRetries(desk: Desk): void {
  const check = (wanted: OperatorAnswer) => askSlurm(desk, wanted, desk.operator.asks(wanted.stage));
  setHandler(retryUpdate, (wanted) => check(wanted)?.then(() => take(desk, wanted)) ?? take(desk, wanted), {
    description:
      'Have a job begin a new attempt, from its checkpoint: {"stage": "grpo", "action": "retry", "timeLimitMinutes": 240}. Also "partition", "anew", …',
    validator: (wanted) => {
      const fault = faultOf(desk, wanted) ?? needlessFault(desk, wanted);
      if (fault !== undefined) throw invalid(fault);
    },
  });
}

function faultOf({ operator, jobs, orders, steps }: Desk, wanted: OperatorAnswer): string | undefined {
  const fault = answerFault(wanted);
  if (fault !== undefined) return fault;
  const { stage, action, question } = wanted;
  if (action !== 'retry') return `answer.action: expected retry, got ${action}`;
  if (question !== undefined || operator.asks(stage)) return operator.faultOf(wanted);
  if (steps[stage] !== undefined) return undefined;
  if (!isJobStage(stage) || jobs[stage] === undefined) {
    return `stage "${stage}" neither asks nor has a job under way, so there is nothing to retry`;
  }
  const order = orders[stage];
  return order === undefined ? undefined : futileChange(wanted, changeable(order));
}

/**
 * Why a retry that changes nothing is refused: what is under way would end only to go on. Only the validator asks it, so what an earlier release took
 * stays taken. A job that cannot start may be retried so.
 */
function needlessFault({ operator, jobs, orders, steps }: Desk, wanted: OperatorAnswer): string | undefined {
  const { stage } = wanted;
  const job = isJobStage(stage) ? jobs[stage] : undefined;
  const order = isJobStage(stage) ? orders[stage] : undefined;
  // What is to end already may be told the same once more.
  const isKnown = job !== undefined && order !== undefined && job.redo === undefined;
  const isNew = changesSomething(wanted) && (!isKnown || differsBy(order, job.changes, wanted));
  if (operator.asks(stage) || isNew) return undefined;
  if (steps[stage] === undefined && job?.prepared === undefined) {
    return `stage "${stage}" has no attempt under way that could end, and "retry" changes nothing of the next one: say what is to change`;
  }
  if (wanted.anew === true || job?.known?.stuck !== undefined) return undefined;
  const what = job === undefined ? 'is under way' : `has attempt ${job.attempt} under way${stateOf(job)}`;
  const how = 'would end it only to go on from what it has saved';
  const kind = changesSomething(wanted) ? 'with what it has already' : 'without a change';
  return `stage "${stage}" ${what}, and "retry" ${kind} ${how}: say what is to change, or "anew" (--anew) to have it so`;
}

function stateOf({ known }: JobState): string {
  return known === undefined ? '' : ` (${known.state})`;
}

/** The validator has accepted it. If Slurm was asked since, the job may have ended. */
function take(desk: Desk, wanted: OperatorAnswer): string {
  const { operator, jobs, cut, steps } = desk;
  const { stage } = wanted;
  const fault = faultOf(desk, wanted);
  if (fault !== undefined) throw refuse('Refused', fault);
  if (operator.asks(stage)) return operator.take(wanted);
  const step = steps[stage];
  if (step !== undefined) {
    step(wanted);
    return `${stage}: it stops, keeps what it has, and goes on${wanted.budgetUsd === undefined ? '' : ` with the cap ${wanted.budgetUsd} USD`}`;
  }
  const job = isJobStage(stage) ? jobs[stage] : undefined;
  if (job === undefined) throw new Error(`the job of stage ${stage} is not there`);
  // Two in a row are one: what the later one says counts.
  job.redo = { ...job.redo, ...wanted };
  cut.breakOff(stage);
  if (job.prepared === undefined) return `${stage}: attempt ${job.attempt} has not begun; it begins with the changes`;
  return `${stage}: attempt ${job.attempt} saves a checkpoint and ends; the next one goes on with the changes`;
}
