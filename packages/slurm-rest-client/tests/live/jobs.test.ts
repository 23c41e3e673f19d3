/** The life of jobs against a real slurmrestd, slurmctld, slurmd and slurmdbd. */
import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { isLaunchFailure, isTerminal, staticToken, type SlurmJob } from '../../src/index.ts';
import { connectTo, known, servers, testJob, until } from './servers.ts';

describe.each(servers())('on $name', (row) => {
  const client = connectTo(row);
  const old = async () => (await client.connect()).apiVersion === 'v0.0.38';
  const ended = (id: string) => until(async () => known(await client.getJob(id)), isTerminal, 90);
  const running = (id: string) =>
    until(
      async () => known(await client.getJob(id)),
      (job) => job.state === 'RUNNING',
      60,
    );
  /** slurmdbd lags: the row counts when it has its name and is over. */
  const recorded = (id: string, name: string): Promise<SlurmJob[]> =>
    until(
      async () => client.accountingJobs({ id }),
      (rows) => rows.some((one) => one.name === name && isTerminal(one)),
      30,
    );
  afterAll(async () => client.close());

  test('the server tells its version and release, and a controller answers', async () => {
    expect(await client.ping()).toMatchObject({ up: true });
    expect((await client.connect()).release).toMatch(/^\d\d\.\d\d/);
  });

  test('nodes, partitions and load can be read', async () => {
    const nodes = await client.nodes();
    const partitions = await client.partitions();
    expect(nodes.length).toBeGreaterThan(0);
    for (const node of nodes)
      expect(node).toMatchObject({ name: expect.stringMatching(/\S/), state: expect.stringMatching(/^[A-Z_]+$/) });
    expect(nodes[0]?.cpus).toBeGreaterThan(0);
    expect(partitions.flatMap((partition) => partition.nodes)).toContain(nodes[0]?.name);
    expect((await client.diag()).jobsSubmitted).toBeGreaterThanOrEqual(0);
  });

  test('a job is submitted, watched to its end, and found in slurmdbd by id and by name', async () => {
    const job = testJob(row, 'sleep 1; echo "$GREETING"', {
      environment: { PATH: '/usr/bin:/bin', GREETING: 'a "b" $c' },
    });
    const { jobId, warnings } = await client.submit(job);
    expect(warnings).toEqual([]);
    const end = await ended(jobId);
    expect(end).toMatchObject({
      id: jobId,
      name: job.name,
      userName: row.user,
      state: 'COMPLETED',
      exit: { kind: 'exited', code: 0 },
      comment: job.comment,
      workDirectory: row.folder,
      standardOutput: job.standardOutput,
      timeLimitMinutes: 5,
      restartCount: 0,
    });
    expect(end.nodes).toHaveLength(1);
    expect(end.endTime?.getTime()).toBeGreaterThanOrEqual(end.startTime?.getTime() ?? Infinity);
    expect(await readFile(job.standardOutput, 'utf8')).toBe('a "b" $c\n');
    expect(await client.jobStates([jobId, '67000000'])).toMatchObject([{ id: jobId, state: 'COMPLETED', flags: [] }]);
    expect((await client.listJobs()).map((one) => one.name)).toContain(job.name);

    const [record] = await recorded(jobId, job.name);
    expect(record).toMatchObject({
      cancelledBy: undefined,
      source: 'slurmdbd',
      id: jobId,
      name: job.name,
      state: 'COMPLETED',
      userName: row.user,
    });
    expect(record?.submitTime).toEqual(end.submitTime);
    expect(record?.endTime).toEqual(end.endTime);
    expect(await client.accountingJobsByName(job.name)).toEqual([record]);
    const tomorrow = new Date(Date.now() + 24 * 3600 * 1000);
    expect(await client.accountingJobsByName(job.name, { since: tomorrow })).toEqual([]);
  });

  test('a job may be requeued if and only if it was submitted so', async () => {
    for (const requeue of [true, false]) {
      const { jobId } = await client.submit(testJob(row, 'true', { requeue }));
      expect(await ended(jobId)).toMatchObject({ state: 'COMPLETED', requeue });
    }
  });

  test('an exit code is told by slurmctld, and by slurmdbd except on 22.05', async () => {
    const job = testJob(row, 'exit 85');
    const { jobId } = await client.submit(job);
    expect(await ended(jobId)).toMatchObject({
      state: 'FAILED',
      reason: 'NonZeroExitCode',
      exit: { kind: 'exited', code: 85 },
    });
    const [record] = await recorded(jobId, job.name);
    expect(record).toMatchObject({
      state: 'FAILED',
      exit: (await old()) ? { kind: 'none' } : { kind: 'exited', code: 85 },
    });
  });

  test('a script killed by a signal is told by that signal', async () => {
    const { jobId } = await client.submit(testJob(row, 'kill -KILL $$'));
    expect(await ended(jobId)).toMatchObject({ state: 'FAILED', exit: { kind: 'signaled', signal: 9 } });
  });

  test('a job whose stdout cannot be opened is a launch failure', async () => {
    const { jobId } = await client.submit(testJob(row, 'true', { standardOutput: '/proc/no-such-folder/x.log' }));
    const end = await ended(jobId);
    expect(end.state).toBe('FAILED');
    expect(isLaunchFailure(end)).toBe(true);
  });

  test('a running job is cancelled, and cancelling it again does no harm', async () => {
    const job = testJob(row, 'sleep 300');
    const { jobId } = await client.submit(job);
    expect(await running(jobId)).toMatchObject({ endTime: undefined, exit: { kind: 'none' } });
    expect(await client.cancel(jobId)).toMatchObject({ outcome: 'accepted' });
    const end = await ended(jobId);
    expect(end).toMatchObject({ state: 'CANCELLED' });
    expect(end.endTime).toBeInstanceOf(Date);
    expect(['accepted', 'already-done']).toContain((await client.cancel(jobId)).outcome);
    expect((await recorded(jobId, job.name)).at(-1)).toMatchObject({ state: 'CANCELLED', cancelledBy: row.user });
  });

  test('USR2 reaches the batch shell', async () => {
    const script = 'trap "exit 85" USR2\nsleep 300 &\nwait';
    const { jobId } = await client.submit(testJob(row, script));
    await running(jobId);
    await new Promise((resolve) => {
      setTimeout(resolve, 1000);
    });
    expect(await client.signal(jobId, 'USR2')).toMatchObject({ outcome: 'accepted' });
    expect(await ended(jobId)).toMatchObject({ state: 'FAILED', exit: { kind: 'exited', code: 85 } });
  });

  test('a signal to the steps alone leaves the batch shell alive', async () => {
    const job = testJob(row, 'trap "exit 85" USR2\nsrun --mem=0 sleep 300\nsleep 1\nexit 7');
    const { jobId } = await client.submit(job);
    await running(jobId);
    await new Promise((resolve) => {
      setTimeout(resolve, 3000);
    });
    const cannot = await old();
    const sent: unknown = await client.signal(jobId, 'USR2', 'steps').catch((error: unknown) => error);
    expect(sent).toMatchObject(cannot ? { kind: 'refused', delivery: 'not-delivered' } : { outcome: 'accepted' });
    if (cannot) await client.cancel(jobId);
    const end = cannot ? { state: 'CANCELLED' } : { state: 'FAILED', exit: { kind: 'exited', code: 7 } };
    expect(await ended(jobId)).toMatchObject(end);
  });

  test('a job that is cancelled while it is held never started; slurmdbd, except 22.05, knows it by its name', async () => {
    const job = testJob(row, 'true', { hold: true });
    const { jobId } = await client.submit(job);
    const recordedByName = async () => (await client.accountingJobsByName(job.name)).some(({ id }) => id === jobId);
    if (!(await old())) await until(recordedByName, (found) => found, 30);
    await client.cancel(jobId);
    const end = await ended(jobId);
    expect(end).toMatchObject({ state: 'CANCELLED', startTime: undefined, nodes: [] });
    expect(end.endTime).toBeInstanceOf(Date);
  });

  test('a held job can be changed', async () => {
    const { jobId } = await client.submit(testJob(row, 'true', { hold: true }));
    const excludedNodes = (await client.nodes()).slice(0, 1).map((node) => node.name);
    expect(await client.updateJob(jobId, { comment: 'changed', timeLimitMinutes: 9, excludedNodes })).toEqual([]);
    expect(await client.getJob(jobId)).toMatchObject({
      state: 'PENDING',
      reason: 'JobHeldUser',
      comment: 'changed',
      timeLimitMinutes: 9,
      startTime: undefined,
      nodes: [],
    });
    await client.cancel(jobId);
  });

  test('every field of a submission is taken, and those that can be read come back', async () => {
    const [first, second] = await client.nodes();
    const [partition] = await client.partitions();
    const type = /^gpu:([^:,(]+):\d/.exec(first?.gres ?? '')?.[1];
    const job = testJob(row, 'true', {
      hold: true,
      exclusive: true,
      partition: row.partition ?? partition?.name,
      qos: 'normal',
      cpusPerTask: 2,
      memoryPerNodeMiB: 123,
      gpus: type === undefined ? undefined : { type, countPerNode: 2 },
      excludedNodes: second === undefined ? [] : [second.name],
      standardError: `${row.folder}/srk-%j.err`,
      dependency: 'singleton',
      warningSignal: { signal: 'USR2', secondsBefore: 60 },
      openMode: 'truncate',
    });
    const { jobId } = await client.submit(job);
    const pending = known(await client.getJob(jobId));
    await client.cancel(jobId);
    expect(pending).toMatchObject({ state: 'PENDING', partition: job.partition, qos: 'normal', comment: job.comment });
    expect(pending.standardError).toMatch(/srk-(%j|\d+)\.err$/);
  });

  test('two jobs of one name do not run at once if they are singletons', async () => {
    const job = testJob(row, 'sleep 300', { dependency: 'singleton' });
    const first = await client.submit(job);
    await running(first.jobId);
    const second = await client.submit(job);
    const waiting = await until(
      async () => known(await client.getJob(second.jobId)),
      (one) => one.reason !== '',
      30,
    );
    expect(waiting).toMatchObject({ state: 'PENDING', reason: 'Dependency' });
    await client.cancel(second.jobId);
    await client.cancel(first.jobId);
  });

  test('an unknown job is undefined, not in the states, and unknown to cancel', async () => {
    expect(await client.getJob('67000000')).toBeUndefined();
    expect(await client.jobStates(['67000000'])).toEqual([]);
    const blind = ['v0.0.40', 'v0.0.41'].includes((await client.connect()).apiVersion);
    expect(await client.cancel('67000000')).toMatchObject({ outcome: blind ? 'accepted' : 'unknown-job' });
    expect(await client.accountingJobs({ id: '67000000' })).toEqual([]);
  });

  test.each([
    ['an unknown partition', { partition: 'no-such-partition' }, 2000],
    ['an unknown GPU type', { gpus: { type: 'no-such-gpu', countPerNode: 1 } }, undefined],
    ['an unknown feature', { constraints: 'no-such-feature' }, undefined],
    ['an unknown node to exclude', { excludedNodes: ['no-such-node'] }, undefined],
  ])('%s is refused, and no job runs or will run', async (_, part, number) => {
    const job = testJob(row, 'true', part);
    const error: unknown = await client.submit(job).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'refused', delivery: 'refused', ...(number === undefined ? {} : { number }) });
    const left = (await client.listJobs()).filter((one) => one.name === job.name);
    expect(left.filter((one) => !isTerminal(one) || one.exit.kind !== 'none' || one.nodes.length > 0)).toEqual([]);
  });

  test('an expired token is an authentication error in every call', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iat: 1, exp: 2, sun: row.user })}.c2ln`;
    const { apiVersion } = await client.connect();
    const late = connectTo(row, { apiVersion, auth: { userName: row.user, token: staticToken(token) } });
    for (const call of [
      () => late.listJobs(),
      () => late.getJob('1'),
      () => late.submit(testJob(row, 'true')),
      () => late.cancel('67000000'),
      () => late.accountingJobs({ id: '1' }),
    ]) {
      await expect(call()).rejects.toMatchObject({ kind: 'auth' });
    }
    await late.close();
  });

  test('a wrong token is an authentication error in accounting as well', async () => {
    const { apiVersion } = await client.connect();
    const wrong = connectTo(row, { apiVersion, auth: { userName: row.user, token: staticToken('garbage') } });
    await expect(wrong.accountingJobs({ id: '1' })).rejects.toMatchObject({ kind: 'auth' });
    await expect(wrong.accountingJobsByName('x')).rejects.toMatchObject({ kind: 'auth' });
    await wrong.close();
  });
});
