/** Ended attempts → classes. COMPLETED is not success, exit code 0 is not success, and a timeout prints exit code 0. */
import { describe, expect, it } from 'vitest';
import { classifyOutcome, type JobClass, type JobFacts } from '../../../domain/jobs/job-outcome.ts';
import type { Outcome, TrainerResult } from '../../../domain/manifest.ts';

type Slurm = NonNullable<JobFacts['slurm']>;

const result: TrainerResult = {
  schema: 1,
  name: 'critic-x-sft-a1',
  kind: 'sft',
  steps_planned: 100,
  steps_done: 100,
  first_step: 1,
  resumed_from_step: null,
  finite: true,
  rows: null,
  seconds: 60,
};

function outcome(exit_code: number, signal: string | null = null): Outcome {
  const times = { started_at: '2026-11-23T00:00:00Z', ended_at: '2026-11-23T00:01:00Z' };
  return { schema: 1, name: result.name, job_id: '7', host: 'n1', exit_code, signal, ...times };
}

function slurm(state: string, more: Partial<Slurm> = {}): Slurm {
  const exit = { kind: 'success', code: 0, signal: undefined };
  const unsaid = { failedNode: undefined, cancelledBy: undefined };
  return {
    source: 'slurmctld',
    state,
    flags: [],
    reason: 'None',
    exit,
    ...unsaid,
    nodes: ['n1'],
    restarts: 0,
    ...more,
  };
}

/** A job that did everything; a test changes what matters to it. */
function facts(more: Partial<JobFacts>): JobFacts {
  return {
    slurm: slurm('COMPLETED'),
    outcome: outcome(0),
    outcomeFault: undefined,
    result,
    resultFault: undefined,
    planned: { steps: 100, rows: null },
    outputPresent: true,
    ...more,
  };
}

/** A job that Slurm ended before it could write anything. */
function cut(state: string, more: Partial<Slurm> = {}): JobFacts {
  return facts({ slurm: slurm(state, more), outcome: undefined, result: undefined, outputPresent: false });
}

function exited(code: number, signal: string | null = null): JobFacts {
  const exit = { kind: 'error', code, signal: undefined };
  return facts({ slurm: slurm('FAILED', { reason: 'NonZeroExitCode', exit }), outcome: outcome(code, signal) });
}

const error = (code: number): Slurm['exit'] => ({ kind: 'error', code, signal: undefined });
const signaled = (signal: number): Slurm['exit'] => ({ kind: 'signaled', code: undefined, signal });

describe('by Slurm’s state, whatever the exit code', () => {
  it.each<[string, JobFacts, JobClass]>([
    ['TIMEOUT prints exit code 0 and is no success', cut('TIMEOUT'), 'time-limit'],
    ['DEADLINE is a limit too', cut('DEADLINE'), 'time-limit'],
    ['a timeout that managed to checkpoint', { ...cut('TIMEOUT'), outcome: outcome(85) }, 'time-limit'],
    ['PREEMPTED', cut('PREEMPTED'), 'preempted'],
    ['preempted with a checkpoint is nobody’s fault still', { ...cut('PREEMPTED'), outcome: outcome(85) }, 'preempted'],
    ['NODE_FAIL', cut('NODE_FAIL', { failedNode: 'n1' }), 'node-failed'],
    ['BOOT_FAIL', cut('BOOT_FAIL'), 'node-failed'],
    ['host memory', cut('OUT_OF_MEMORY', { exit: signaled(125) }), 'out-of-memory'],
    ['cancelled by somebody', cut('CANCELLED'), 'cancelled-by-other'],
    [
      'cancelled by somebody whom slurmdbd names',
      cut('CANCELLED', { source: 'slurmdbd', cancelledBy: 'root' }),
      'cancelled-by-other',
    ],
    ['cancelled in the books alone, by nobody', cut('CANCELLED', { source: 'slurmdbd' }), 'lost'],
    [
      'cancelled by somebody, with a checkpoint on TERM: it must not just start again',
      { ...cut('CANCELLED'), outcome: outcome(85) },
      'cancelled-by-other',
    ],
    ['put back into the queue', cut('PENDING', { restarts: 1 }), 'requeued'],
    [
      'put back into the queue with a checkpoint',
      { ...cut('PENDING', { restarts: 1 }), outcome: outcome(85) },
      'requeued',
    ],
    [
      'put back and held because its launch failed, in 26.05’s words',
      cut('PENDING', { restarts: 1, reason: 'launch_failed_requeued_held' }),
      'launch-failed',
    ],
    [
      'put back because its launch failed, by flag',
      cut('PENDING', { restarts: 1, flags: ['LAUNCH_FAILED'] }),
      'launch-failed',
    ],
    ['the launch failed, by flag', cut('FAILED', { flags: ['LAUNCH_FAILED'] }), 'launch-failed'],
    ['the launch failed, by reason', cut('FAILED', { reason: 'JobLaunchFailure' }), 'launch-failed'],
    ['the log could not be opened: signal 53', cut('FAILED', { exit: signaled(53) }), 'launch-failed'],
  ])('%s', (_name, given, expected) => {
    expect(classifyOutcome(given).jobClass).toBe(expected);
  });

  it('a failed node is named, else the nodes it ran on', () => {
    expect(classifyOutcome(cut('NODE_FAIL', { failedNode: 'n9' })).evidence).toBe('node n9 failed (NODE_FAIL)');
    expect(classifyOutcome(cut('BOOT_FAIL', { nodes: ['n1', 'n2'] })).evidence).toContain('n1,n2');
  });
});

describe('by exit code', () => {
  it.each<[string, JobFacts, JobClass]>([
    ['65', exited(65), 'bad-data'],
    ['70', exited(70), 'bug'],
    ['71', exited(71), 'gpu-out-of-memory'],
    ['75', exited(75), 'try-again'],
    ['78', exited(78), 'bad-config'],
    ['85', exited(85), 'checkpointed'],
    ['137 by SIGKILL', exited(137, 'SIGKILL'), 'killed'],
    ['1 is nobody’s code', exited(1), 'unknown'],
    ['no outcome file, but Slurm saw our code', cut('FAILED', { exit: error(78) }), 'bad-config'],
    ['no outcome file and a foreign code', cut('FAILED', { exit: error(1) }), 'unknown'],
    ['the script itself was killed', cut('FAILED', { exit: signaled(9) }), 'killed'],
    ['Slurm says COMPLETED and there is no outcome file', cut('COMPLETED'), 'postcondition-failed'],
    ['Slurm has forgotten the job, its outcome file has not', { ...exited(65), slurm: undefined }, 'bad-data'],
    ['Slurm has forgotten it, and nothing is left', { ...cut('COMPLETED'), slurm: undefined }, 'lost'],
    ['a state that nobody has heard of', cut('TRANSMOGRIFIED'), 'unknown'],
  ])('%s', (_name, given, expected) => {
    expect(classifyOutcome(given).jobClass).toBe(expected);
  });

  it('an unreadable outcome file is said, not taken for none', () => {
    const fault = 'outcome.json: unexpected end of JSON';
    const given = { ...cut('COMPLETED'), outcomeFault: fault };
    expect(classifyOutcome(given)).toEqual({ jobClass: 'postcondition-failed', evidence: fault });
    expect(classifyOutcome({ ...given, slurm: undefined })).toEqual({ jobClass: 'lost', evidence: fault });
  });
});

describe('the postcondition of exit code 0', () => {
  it.each<[string, Partial<JobFacts>, string]>([
    ['no result', { result: undefined }, 'the trainer exited with 0 but left no result.json'],
    [
      'a result that cannot be read',
      { result: undefined, resultFault: 'result.json: cut off' },
      'result.json: cut off',
    ],
    ['too few steps', { result: { ...result, steps_done: 99 } }, '99 of 100 steps were done'],
    [
      'too many steps: a finished job was trained on',
      { result: { ...result, steps_done: 101 } },
      '101 of 100 steps were done',
    ],
    ['steps unknown', { result: { ...result, steps_done: null } }, '0 of 100 steps were done'],
    [
      'rows missing',
      { planned: { steps: null, rows: 50 }, result: { ...result, rows: 49 } },
      '49 of 50 rows were made',
    ],
    ['NaN', { result: { ...result, finite: false } }, 'the loss or reward was not finite'],
    ['no output', { outputPresent: false }, 'the output is missing'],
    ['an output that is no artifact', { outputFault: '"a" is a named pipe' }, '"a" is a named pipe'],
    [
      'a resume that started from step 1',
      { result: { ...result, resumed_from_step: 50 } },
      'resumed from step 50 but the first step was 1',
    ],
    [
      'a resume that skipped a step',
      { result: { ...result, resumed_from_step: 50, first_step: 52 } },
      'resumed from step 50 but the first step was 52',
    ],
  ])('%s', (_name, more, evidence) => {
    expect(classifyOutcome(facts(more))).toEqual({ jobClass: 'postcondition-failed', evidence });
  });

  it.each<[string, Partial<JobFacts>]>([
    ['everything planned was done', {}],
    ['resumed at the next step', { result: { ...result, resumed_from_step: 50, first_step: 51 } }],
    [
      'resumed where every step was done',
      { result: { ...result, resumed_from_step: result.steps_done, first_step: null } },
    ],
    ['done a moment before the time limit', { slurm: slurm('TIMEOUT') }],
    ['done, and Slurm has forgotten it', { slurm: undefined }],
    ['predictions have rows and no steps', { planned: { steps: null, rows: 50 }, result: { ...result, rows: 50 } }],
  ])('completed: %s', (_name, more) => {
    expect(classifyOutcome(facts(more)).jobClass).toBe('completed');
  });
});
