/**
 * Job outcome: what is known of an ended attempt → one class (docs/CONTRACTS.md §2, §4, §5). The state comes before the exit code,
 * since Slurm prints exit code 0 for jobs that timed out. An attempt is completed only if the postcondition holds, whatever Slurm says.
 */
import type { Outcome, TrainerResult } from '../manifest.ts';
import type { FailureClass } from '../names.ts';

export type JobClass = 'completed' | FailureClass;

export interface JobFacts {
  /** The job as slurmctld or slurmdbd knows it. Undefined if neither knows it. */
  slurm:
    | {
        source: 'slurmctld' | 'slurmdbd';
        state: string;
        flags: string[];
        reason: string;
        exit: { kind: string; code: number | undefined; signal: number | undefined };
        failedNode: string | undefined;
        /** Only slurmdbd tells it. */
        cancelledBy: string | undefined;
        nodes: string[];
        /** Times that Slurm put it back into its queue. */
        restarts: number;
      }
    | undefined;
  outcome: Outcome | undefined;
  outcomeFault: string | undefined;
  result: TrainerResult | undefined;
  resultFault: string | undefined;
  planned: { steps: number | null; rows: number | null };
  outputPresent: boolean;
  /** What makes the output no artifact, e.g. `the output cannot be published: "a/b" is a named pipe`. */
  outputFault?: string | undefined;
}

export interface Classified {
  jobClass: JobClass;
  /** One clause for the operator, e.g. `trainer exited with 78 (bad configuration)`. */
  evidence: string;
}

/** Exit codes of the trainer (docs/ARCHITECTURE.md). */
const exitClasses: Record<number, [JobClass, string]> = {
  65: ['bad-data', 'bad data'],
  70: ['bug', 'a bug in the trainer'],
  71: ['gpu-out-of-memory', 'GPU out of memory'],
  75: ['try-again', 'a passing fault'],
  78: ['bad-config', 'bad configuration'],
  85: ['checkpointed', 'it checkpointed and asks to be resumed'],
};

/** What an exit code of the trainer means, in words. Undefined: nothing of its own. */
export function exitMeaning(code: number): string | undefined {
  return code === 85 ? 'it saved a checkpoint; the next attempt goes on from there' : exitClasses[code]?.[1];
}

/** The class of an ended attempt. Never throws: what fits nothing is `unknown`. */
export function classifyOutcome(facts: JobFacts): Classified {
  const { outcome } = facts;
  if (outcome?.exit_code === 0) return checkPostcondition(facts);
  return classifyState(facts) ?? classifyExit(facts) ?? { jobClass: 'unknown', evidence: describeState(facts) };
}

/** States that say more than an exit code does. */
function classifyState({ slurm, outcome }: JobFacts): Classified | undefined {
  const after = outcome?.exit_code === 85 ? ' after it had checkpointed' : '';
  if (slurm !== undefined && slurm.restarts > 0) {
    if (launchFailed(slurm)) return launchFailure(slurm);
    return { jobClass: 'requeued', evidence: `Slurm put it back into its queue (${slurm.reason})` };
  }
  switch (slurm?.state) {
    case 'TIMEOUT':
    case 'DEADLINE':
      return { jobClass: 'time-limit', evidence: 'it ran into its time limit' };
    case 'PREEMPTED':
      return { jobClass: 'preempted', evidence: 'it was preempted' };
    case 'NODE_FAIL':
    case 'BOOT_FAIL':
      return {
        jobClass: 'node-failed',
        evidence: `node ${slurm.failedNode ?? slurm.nodes.join(',')} failed (${slurm.state})`,
      };
    case 'OUT_OF_MEMORY':
      return { jobClass: 'out-of-memory', evidence: 'host memory ran out (OUT_OF_MEMORY)' };
    case 'CANCELLED':
      if (slurm.source === 'slurmdbd' && slurm.cancelledBy === undefined) {
        return { jobClass: 'lost', evidence: 'slurmctld lost its state and with it the job; nobody cancelled it' };
      }
      return { jobClass: 'cancelled-by-other', evidence: `somebody cancelled the job${after}` };
    default:
      break;
  }
  return slurm !== undefined && launchFailed(slurm) ? launchFailure(slurm) : undefined;
}

/** Slurm's reasons for it. The second is that of a job which Slurm put back into its queue and holds; releases differ in its spaces. */
const launchFailures = new Set(['joblaunchfailure', 'launch failed requeued held']);

function launchFailed({ flags, reason, exit }: NonNullable<JobFacts['slurm']>): boolean {
  const said = launchFailures.has(reason.replaceAll('_', ' ').toLowerCase());
  return said || flags.includes('LAUNCH_FAILED') || exit.signal === 53;
}

function launchFailure({ nodes, reason }: NonNullable<JobFacts['slurm']>): Classified {
  return {
    jobClass: 'launch-failed',
    evidence: `Slurm could not start it on ${nodes.join(',') || 'its node'} (${reason})`,
  };
}

function classifyExit({ slurm, outcome, outcomeFault }: JobFacts): Classified | undefined {
  if (outcome !== undefined) {
    const [jobClass, meaning] = exitClasses[outcome.exit_code] ?? [];
    if (jobClass !== undefined)
      return { jobClass, evidence: `the trainer exited with ${outcome.exit_code} (${meaning})` };
    if (outcome.signal !== null) return { jobClass: 'killed', evidence: `the trainer was killed by ${outcome.signal}` };
    return { jobClass: 'unknown', evidence: `the trainer exited with ${outcome.exit_code}` };
  }
  if (slurm === undefined) {
    return { jobClass: 'lost', evidence: outcomeFault ?? 'Slurm does not know the job and it left no outcome.json' };
  }
  const [jobClass, meaning] = (slurm.exit.code === undefined ? undefined : exitClasses[slurm.exit.code]) ?? [];
  if (jobClass !== undefined) {
    return {
      jobClass,
      evidence: `the job script exited with ${slurm.exit.code} (${meaning}) and left no outcome.json`,
    };
  }
  if (slurm.exit.kind === 'signaled') {
    return { jobClass: 'killed', evidence: `the job script was killed by signal ${slurm.exit.signal ?? '?'}` };
  }
  if (slurm.state === 'COMPLETED') {
    return {
      jobClass: 'postcondition-failed',
      evidence: outcomeFault ?? 'Slurm says COMPLETED but there is no outcome.json',
    };
  }
  return undefined;
}

/**
 * Steps done = steps planned, rows complete, finite, output there, first step after a resume = checkpoint step + 1, or none where the
 * checkpoint was the last step's.
 */
function checkPostcondition({ result, resultFault, planned, outputPresent, outputFault }: JobFacts): Classified {
  const failed = (evidence: string): Classified => ({ jobClass: 'postcondition-failed', evidence });
  if (result === undefined) return failed(resultFault ?? 'the trainer exited with 0 but left no result.json');
  if (planned.steps !== null && result.steps_done !== planned.steps) {
    return failed(`${result.steps_done ?? 0} of ${planned.steps} steps were done`);
  }
  if (planned.rows !== null && result.rows !== planned.rows) {
    return failed(`${result.rows ?? 0} of ${planned.rows} rows were made`);
  }
  if (!result.finite) return failed('the loss or reward was not finite');
  if (!outputPresent) return failed('the output is missing');
  if (outputFault !== undefined) return failed(outputFault);
  const nothingLeft = result.steps_done === result.resumed_from_step;
  const firstStep = nothingLeft ? null : (result.resumed_from_step ?? 0) + 1;
  if (result.resumed_from_step !== null && result.first_step !== firstStep) {
    return failed(
      `resumed from step ${result.resumed_from_step} but the first step was ${result.first_step ?? 'none'}`,
    );
  }
  return { jobClass: 'completed', evidence: 'exit 0 and everything planned was done' };
}

function describeState({ slurm }: JobFacts): string {
  if (slurm === undefined) return 'nothing is known of it';
  const { exit } = slurm;
  return (
    `Slurm says ${slurm.state} ${slurm.reason}`.trim() + (exit.code === undefined ? '' : `, exit code ${exit.code}`)
  );
}
