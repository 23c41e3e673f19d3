/** A cluster without slurmdbd, and a slurmdbd that is away: what is waited for, and what goes on without it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlurmError, type SlurmJob } from 'slurm-rest-client';
import { describe, expect, it } from 'vitest';
import { Accounting } from '../../../activities/jobs/accounting.ts';
import { toFailure } from '../../../activities/failure.ts';
import { createCollectActivities } from '../../../activities/jobs/collecting.ts';
import { findForCertain } from '../../../activities/jobs/finding.ts';
import {
  failed,
  json,
  plain,
  type Script,
  withClient,
} from '../../../packages/slurm-rest-client/tests/unit/scripted-server.ts';
import { activityEnvironment, inActivity, rejection, sftOrder, temporaryFolder } from '../fixtures.ts';

const notServed = { kind: 'protocol', delivery: 'not-delivered', httpStatus: 404 } as const;
const down = { kind: 'unavailable', delivery: 'not-delivered', httpStatus: 502, number: 7000 } as const;
const unreachable = { kind: 'unavailable', delivery: 'not-delivered' } as const;

/** A slurmdbd that answers, or fails in this way; minutes pass as told. */
function accounts() {
  const state: { minutes: number; fails?: ConstructorParameters<typeof SlurmError>[1]; asked: number } = {
    minutes: 0,
    asked: 0,
  };
  const answer = async (): Promise<SlurmJob[]> => {
    state.asked += 1;
    if (state.fails !== undefined) throw new SlurmError('as scripted', state.fails);
    return [];
  };
  const slurm = { accountingJobs: answer, accountingJobsByName: answer };
  const accounting = new Accounting(slurm, { now: () => state.minutes * 60_000 });
  /** One question, at this minute: what kind of answer, or that it is still waited for. */
  const ask = async (minutes: number, fails?: ConstructorParameters<typeof SlurmError>[1]): Promise<string> => {
    state.minutes = minutes;
    if (fails === undefined) delete state.fails;
    else state.fails = fails;
    const look = accounting.byName('x').then(({ kind }) => kind);
    return look.catch((error: unknown) => (error instanceof SlurmError ? 'waits' : 'threw'));
  };
  return { accounting, ask, state };
}

describe('accounting', () => {
  it('that is not served counts as none at once, is asked again after ten minutes, and is believed when it answers', async () => {
    const { ask, state } = accounts();
    expect(await ask(0, notServed)).toBe('unanswered');
    expect(await ask(5)).toBe('unanswered');
    expect(state.asked).toBe(1);
    expect(await ask(10)).toBe('answered');
  });

  it('that answers with errors is waited for, five minutes without a break', async () => {
    const { ask } = accounts();
    expect([await ask(0, down), await ask(4.9, down), await ask(5, down)]).toEqual(['waits', 'waits', 'unanswered']);
    expect([await ask(6), await ask(7, down)]).toEqual(['answered', 'waits']);
  });

  it('is waited for whatever it answers: a refusal by slurmdbd does not ask the operator', async () => {
    const { accounting, state } = accounts();
    state.fails = { kind: 'refused', delivery: 'not-delivered', httpStatus: 500, number: 2002 };
    const failure = toFailure(await rejection(accounting.byName('x')), 'look up job "x"');
    expect(failure).toMatchObject({ type: 'SlurmUnavailable', nonRetryable: false, message: 'as scripted' });
  });

  it('that has answered once is waited for in each outage anew, also if its path is gone', async () => {
    const { ask } = accounts();
    expect([await ask(0), await ask(1, down), await ask(30, down)]).toEqual(['answered', 'waits', 'waits']);
    expect([await ask(31, notServed), await ask(33, notServed), await ask(35, notServed)]).toEqual([
      'waits',
      'waits',
      'unanswered',
    ]);
  });

  it('that never answered is not waited for anew: the silence since the worker’s start counts', async () => {
    const { ask } = accounts();
    expect([await ask(0, down), await ask(60, down)]).toEqual(['waits', 'unanswered']);
  });

  it('is noticed at the start, with what is less certain without it', async () => {
    const { accounting, ask, state } = accounts();
    expect(await accounting.notice()).toBeUndefined();
    state.fails = down;
    expect(await accounting.notice()).toMatch(/does not answer .* for 5 minutes: a job that slurmctld has forgotten/);
    const none = accounts();
    none.state.fails = notServed;
    expect(await none.accounting.notice()).toMatch(/keeps no accounts .*: a job that slurmctld has forgotten/);
    expect(await ask(1)).toBe('answered');
  });

  it('is not judged at the start by a slurmrestd that is away', async () => {
    const { accounting, ask, state } = accounts();
    state.fails = unreachable;
    expect(await accounting.notice()).toMatch(/^whether there is a slurmdbd is not known: /);
    expect(await ask(60, down)).toBe('waits');
  });
});

/** slurmctld knows no job at all; slurmdb answers as told. */
function withoutJobs(slurmdb: Script): Script {
  return (request, response, before) => {
    if (request.url.startsWith('/slurmdb/')) return slurmdb(request, response, before);
    if (request.url.includes('/jobs/')) return json(response, 200, { jobs: [] });
    if (request.url.includes('/job/')) return json(response, 500, failed(2017, 'Invalid job id specified'));
    return json(response, 200, { pings: [] });
  };
}

const databaseDown: Script = (_request, response) => json(response, 502, failed(7000, 'Unable to connect to database'));
const absent: [string, Script][] = [
  ['no such path', (_request, response) => plain(response, 404, 'Unable find requested URL')],
  ['an error for good', databaseDown],
  ['a proxy’s 503', (_request, response) => plain(response, 503, 'Service Unavailable')],
];

describe.each(absent)('a cluster whose /slurmdb answers with %s', (_what, slurmdb) => {
  it('an ambiguous submission is resolved by slurmctld and time alone', async () => {
    await withClient(withoutJobs(slurmdb), async (slurm) => {
      const accounting = new Accounting(slurm, { patienceMs: 1_000 });
      const job = { userName: 'critic' };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
      const deps = { slurm, accounting, job } as unknown as Parameters<typeof findForCertain>[0];
      const found = await inActivity(activityEnvironment().env, () => findForCertain(deps, 'critic-r-sft-a1', 100));
      expect(found).toBeUndefined();
    });
  }, 20_000);

  it('an attempt that slurmctld has forgotten is collected by its own files, and the evidence says so', async () => {
    const directory = await temporaryFolder();
    const name = 'critic-r-sft-a1';
    await mkdir(join(directory, 'claim'));
    const outcome = { schema: 1, name, job_id: '7', host: 'n1', exit_code: 78, signal: null };
    const times = { started_at: '2026-11-24T00:00:00Z', ended_at: '2026-11-24T00:01:00Z' };
    await writeFile(join(directory, 'outcome.json'), JSON.stringify({ ...outcome, ...times }));
    await withClient(withoutJobs(slurmdb), async (slurm) => {
      const accounting = new Accounting(slurm, { patienceMs: 0 });
      const activities = createCollectActivities({ slurm, accounting });
      const input = { order: sftOrder('r'), prepared: { name, directory, attempt: 1 }, jobId: '7' };
      const collected = await inActivity(activityEnvironment().env, () => activities.collectAttempt(input));
      expect(collected).toMatchObject({ jobClass: 'bad-config', slurmState: 'VANISHED', seconds: 60 });
      expect(collected.evidence).toMatch(/exited with 78 .*; slurmdbd did not say how it ended \(/);
    });
  });
});

describe('a collected attempt', () => {
  const name = 'critic-r-sft-a1';
  const collected = async (directory: string) =>
    withClient(withoutJobs(databaseDown), async (slurm) => {
      const activities = createCollectActivities({ slurm, accounting: new Accounting(slurm, { patienceMs: 0 }) });
      const input = { order: sftOrder('r'), prepared: { name, directory, attempt: 1 }, jobId: '7' };
      return inActivity(activityEnvironment().env, () => activities.collectAttempt(input));
    });

  it('got as far as its newest checkpoint: steps that none holds would be done again', async () => {
    const directory = await temporaryFolder();
    await mkdir(join(directory, 'claim'));
    await writeFile(join(directory, 'metrics.jsonl'), '{"step":5,"time":1}\n');
    expect(await collected(directory)).toMatchObject({ progress: null, checkpoint: null });
    await mkdir(join(directory, 'checkpoints/checkpoint-4'), { recursive: true });
    expect(await collected(directory)).toMatchObject({ progress: 4 });
  });

  it('whose folder is not seen is tried again: it was prepared, so the view is old', async () => {
    const unseen = join(await temporaryFolder(), 'a1');
    expect(await rejection(collected(unseen))).toMatchObject({ type: 'SystemError', nonRetryable: false });
  });
});

describe('a slurmdbd that is away for a while', () => {
  it('is waited for: an attempt that slurmctld has forgotten is not judged without it', async () => {
    const directory = await temporaryFolder();
    const name = 'critic-r-sft-a1';
    await withClient(withoutJobs(databaseDown), async (slurm) => {
      const activities = createCollectActivities({ slurm, accounting: new Accounting(slurm) });
      const input = { order: sftOrder('r'), prepared: { name, directory, attempt: 1 }, jobId: '7' };
      const error = await rejection(inActivity(activityEnvironment().env, () => activities.collectAttempt(input)));
      expect(error).toMatchObject({ type: 'SlurmUnavailable', nonRetryable: false });
    });
  });
});
