/** What jobs, nodes and partitions look like on the wire, and what is made of them. Shapes are those measured on 22.05 and 24.11. */
import { describe, expect, test } from 'vitest';
import { readAccountingJob, readCurrentJob } from '../../src/adapters/read-job.ts';
import { v38 } from '../../src/adapters/v38.ts';
import { v42 } from '../../src/adapters/v40.ts';
import { readNode, readPing } from '../../src/read-cluster.ts';

const set = (number: number) => ({ set: true, infinite: false, number });
const unset = { set: false, infinite: false, number: 0 };

const running38 = {
  job_id: 17,
  name: 'a',
  user_name: 'alice',
  account: '',
  partition: 'gpu',
  job_state: 'RUNNING',
  state_reason: 'None',
  state_description: '',
  submit_time: 1_700_000_000,
  start_time: 1_700_000_010,
  end_time: 1_700_003_610,
  preempt_time: 0,
  exit_code: 0,
  derived_exit_code: 0,
  restart_cnt: 1,
  requeue: false,
  nodes: 'a100-[0-1]',
  standard_output: '/x/%j.log',
  standard_error: '',
  current_working_directory: '/x',
  comment: null,
  time_limit: 60,
};

const running42 = {
  ...running38,
  job_state: ['RUNNING'],
  submit_time: set(1_700_000_000),
  start_time: set(1_700_000_010),
  end_time: set(1_700_003_610),
  preempt_time: unset,
  exit_code: {
    status: ['SUCCESS'],
    return_code: set(0),
    signal: { id: unset, name: '' },
  },
  derived_exit_code: { status: ['SUCCESS'], return_code: set(0), signal: { id: unset, name: '' } },
  comment: '',
  time_limit: set(60),
  failed_node: '',
  job_resources: null,
};

describe('a running job', () => {
  test.each([
    ['of v0.0.38', running38],
    ['of v0.0.42', running42],
  ])('%s has no end, since Slurm only predicts it, and no exit', (_, wire) => {
    expect(readCurrentJob(wire)).toEqual({
      source: 'slurmctld',
      id: '17',
      name: 'a',
      userName: 'alice',
      account: undefined,
      partition: 'gpu',
      qos: undefined,
      state: 'RUNNING',
      flags: [],
      submitTime: new Date(1_700_000_000_000),
      startTime: new Date(1_700_000_010_000),
      endTime: undefined,
      preemptTime: undefined,
      reason: '',
      stateDescription: '',
      exit: { kind: 'none', code: undefined, signal: undefined },
      derivedExit: { kind: 'none', code: undefined, signal: undefined },
      restartCount: 1,
      requeue: false,
      nodes: ['a100-0', 'a100-1'],
      failedNode: undefined,
      workDirectory: '/x',
      standardOutput: '/x/%j.log',
      standardError: undefined,
      comment: undefined,
      timeLimitMinutes: 60,
    });
  });
});

describe('a job', () => {
  test('that is pending has no start, although slurmctld guesses one', () => {
    expect(readCurrentJob({ ...running42, job_state: ['PENDING'], nodes: '' })).toMatchObject({
      startTime: undefined,
      endTime: undefined,
      nodes: [],
    });
  });

  test('that was cancelled while pending has an end and no start, although slurmctld prints one', () => {
    const end = { startTime: undefined, endTime: new Date(1_700_003_610_000) };
    for (const running of [running38, running42])
      expect(readCurrentJob({ ...running, job_state: 'CANCELLED', nodes: '' })).toMatchObject(end);
  });

  test('that v0.0.38 calls COMPLETING has an end but neither base state nor exit', () => {
    expect(readCurrentJob({ ...running38, job_state: 'COMPLETING' })).toMatchObject({
      state: 'UNKNOWN',
      flags: ['COMPLETING'],
      endTime: new Date(1_700_003_610_000),
      exit: { kind: 'none' },
    });
  });

  test('that has ended has an end', () => {
    expect(readCurrentJob({ ...running38, job_state: 'COMPLETED' })).toMatchObject({
      endTime: new Date(1_700_003_610_000),
      exit: { kind: 'exited', code: 0 },
    });
  });

  test('without a limit has none', () => {
    const unlimited = { set: false, infinite: true, number: 0 };
    expect(readCurrentJob({ ...running42, time_limit: unlimited }).timeLimitMinutes).toBeUndefined();
    expect(readCurrentJob({ ...running38, time_limit: null }).timeLimitMinutes).toBeUndefined();
    expect(readCurrentJob({ ...running38, time_limit: 4_294_967_295 }).timeLimitMinutes).toBeUndefined();
  });

  test('names its expanded stdout where the version has it (v0.0.43+)', () => {
    const wire = { ...running42, standard_output: '/x/%j.log', stdout_expanded: '/x/17.log' };
    expect(readCurrentJob(wire).standardOutput).toBe('/x/17.log');
  });

  test('with fields of the future is read all the same', () => {
    expect(readCurrentJob({ ...running42, quantum_entanglement: { level: 9 } }).id).toBe('17');
  });

  test('with next to no fields is read all the same', () => {
    expect(readCurrentJob({ job_id: 3, job_state: 'PENDING' })).toMatchObject({ id: '3', name: '', nodes: [] });
  });
});

/** An exit as v0.0.40+ prints it. */
const structured = (status: string, code: number, signal = 0) => ({
  status: [status],
  return_code: set(code),
  signal: { id: signal === 0 ? unset : set(signal), name: '' },
});

describe('an exit', () => {
  const failed = { ...running38, job_state: 'FAILED' };
  const failed42 = { ...running42, job_state: ['FAILED'] };
  test.each([
    ['of wait status 256 is exit code 1', { ...failed, exit_code: 256 }, { kind: 'exited', code: 1 }],
    ['of wait status 21760 is exit code 85', { ...failed, exit_code: 21_760 }, { kind: 'exited', code: 85 }],
    ['of wait status 9 is signal 9', { ...failed, exit_code: 9 }, { kind: 'signaled', signal: 9 }],
    ['of wait status 139 (core dumped) is signal 11', { ...failed, exit_code: 139 }, { kind: 'signaled', signal: 11 }],
    ['of 4021 is a failed launch, signal 53', { ...failed, exit_code: 4021 }, { kind: 'signaled', signal: 53 }],
    ['that is 0 with TIMEOUT says nothing', { ...failed, job_state: 'TIMEOUT' }, { kind: 'none' }],
    ['that is 0 with CANCELLED says nothing', { ...failed, job_state: 'CANCELLED' }, { kind: 'none' }],
    ['of 1 without a node is no signal: the job never ran', { ...failed, exit_code: 1, nodes: '' }, { kind: 'none' }],
    ['with ERROR is its code', { ...failed42, exit_code: structured('ERROR', 85) }, { kind: 'exited', code: 85 }],
    [
      'with SIGNALED is its signal',
      { ...failed42, exit_code: structured('SIGNALED', 0, 9) },
      { kind: 'signaled', signal: 9 },
    ],
    [
      'with CORE_DUMPED is its signal',
      { ...failed42, exit_code: structured('CORE_DUMPED', 0, 11) },
      { kind: 'signaled', signal: 11 },
    ],
    ['that is INVALID says nothing', { ...failed42, exit_code: structured('INVALID', 0) }, { kind: 'none' }],
    ['that is absent says nothing', { ...failed42, exit_code: null }, { kind: 'none' }],
  ])('%s', (_, wire, expected) => {
    expect(readCurrentJob(wire).exit).toMatchObject(expected);
  });

  test('of a script that swallowed a failing step shows in derivedExit', () => {
    const job = readCurrentJob({ ...running38, job_state: 'COMPLETED', derived_exit_code: 1792 });
    expect([job.exit.code, job.derivedExit.code]).toEqual([0, 7]);
  });
});

describe('a row of slurmdbd', () => {
  const row38 = {
    job_id: 17,
    name: 'a',
    user: 'alice',
    account: 'vision',
    partition: 'gpu',
    qos: 'normal',
    state: { current: 'FAILED', reason: 'NonZeroExitCode' },
    time: { submission: 1_700_000_000, start: 1_700_000_010, end: 1_700_000_020, limit: 60 },
    exit_code: { status: 'SUCCESS', return_code: 0 },
    derived_exit_code: { status: 'SUCCESS', return_code: 0 },
    nodes: 'a100-0',
    working_directory: '/x',
    comment: { administrator: null, job: null, system: null },
  };

  test('of v0.0.38 is read, without the exit code that 22.05 always prints as 0', () => {
    expect(v38.accountingJob(row38)).toMatchObject({
      source: 'slurmdbd',
      id: '17',
      state: 'FAILED',
      reason: 'NonZeroExitCode',
      exit: { kind: 'none' },
      derivedExit: { kind: 'none' },
      endTime: new Date(1_700_000_020_000),
      nodes: ['a100-0'],
      workDirectory: '/x',
      comment: undefined,
    });
  });

  test('of v0.0.42 is read', () => {
    const row42 = {
      ...row38,
      state: { current: ['NODE_FAIL'], reason: 'NodeDown' },
      time: { ...row38.time, limit: set(60) },
      exit_code: { status: ['SUCCESS'], return_code: set(0), signal: { id: unset, name: '' } },
      failed_node: 'a100-0',
      kill_request_user: '',
      restart_cnt: 2,
    };
    expect(readAccountingJob(row42)).toMatchObject({
      state: 'NODE_FAIL',
      exit: { kind: 'none' },
      failedNode: 'a100-0',
      cancelledBy: undefined,
      restartCount: 2,
      timeLimitMinutes: 60,
    });
  });

  test('names who cancelled the job', () => {
    const cancelled = { ...row38, state: { current: 'CANCELLED', reason: 'None' }, kill_request_user: 'root' };
    expect(v38.accountingJob(cancelled).cancelledBy).toBe('root');
  });

  test('of v0.0.38 tells a signal', () => {
    const killed = { ...row38, exit_code: { status: 'SIGNALED', signal: { signal_id: 9, name: 'Killed' } } };
    expect(v38.accountingJob(killed).exit).toMatchObject({ kind: 'signaled', signal: 9 });
  });

  test('of a job that never started has no start', () => {
    const never = { ...row38, nodes: 'None assigned', time: { ...row38.time, start: 4_294_967_294 } };
    expect(readAccountingJob(never)).toMatchObject({ startTime: undefined, nodes: [] });
  });
});

describe('of the cluster', () => {
  test('a node reads the same from v0.0.38 and v0.0.42', () => {
    const rest = { name: 'a100-0', reason: '', cpus: 8, real_memory: 20_000, gres: 'gpu:a100:8' };
    const expected = {
      name: 'a100-0',
      state: 'IDLE',
      flags: ['DRAIN'],
      cpus: 8,
      memoryMiB: 20_000,
      features: ['ib', 'a100'],
    };
    const old = { ...rest, state: 'idle', state_flags: ['DRAIN'], features: 'ib,a100', partitions: ['gpu'] };
    const now = { ...rest, state: ['IDLE', 'DRAIN'], features: ['ib', 'a100'], partitions: ['gpu'] };
    expect(readNode(old)).toMatchObject(expected);
    expect(readNode(now)).toMatchObject(expected);
  });

  test('a partition reads the same from v0.0.38 and v0.0.42', () => {
    const expected = {
      name: 'gpu',
      state: 'UP',
      nodes: ['n1', 'n2'],
      totalCpus: 16,
      totalNodes: 2,
      maxTimeMinutes: 60,
    };
    const old = { name: 'gpu', state: 'UP', nodes: 'n[1-2]', total_cpus: 16, total_nodes: 2, max_time_limit: 60 };
    const now = {
      name: 'gpu',
      nodes: { configured: 'n[1-2]', total: 2 },
      cpus: { total: 16 },
      partition: { state: ['UP'] },
      maximums: { time: set(60) },
    };
    expect(v38.partition(old)).toEqual(expected);
    expect(v42.partition(now)).toEqual(expected);
  });

  test('a controller is up under the keys ping, pinged and (v0.0.45) responding', () => {
    expect(readPing({ hostname: 'c1', ping: 'UP', mode: 'primary' }).up).toBe(true);
    expect(readPing({ hostname: 'c1', pinged: 'UP', mode: 'primary' }).up).toBe(true);
    expect(readPing({ hostname: 'c1', pinged: 'DOWN', mode: 'primary' }).up).toBe(false);
    const said = { hostname: 'c1', responding: true, primary: true, status: 'No error' };
    expect(readPing(said)).toEqual({ host: 'c1', mode: 'primary', up: true });
    expect(readPing({ ...said, responding: false }).up).toBe(false);
  });
});
