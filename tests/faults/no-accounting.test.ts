/** Clusters without slurmdbd: its paths are not served, or answer 503 for good. slurmctld and the jobs' own files must do. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture } from './fixture.ts';
import { newRun, queued, runningJob, starts, story, until } from './runs.ts';
import { reconfigure, slurm, startWorker, stopWorker, where } from './stack.ts';

const stand = fixture();
const once = ['start a1', 'step 1 a1', 'step 2 a1', 'step 3 a1', 'end a1'];

describe.each(['not-served', 'unavailable'] as const)('a cluster whose /slurmdb is %s', (treatment) => {
  it('an ambiguous submission is resolved, and the job runs once', async () => {
    const run = newRun(treatment);
    let sent = 0;
    stand.proxy.rule = ({ method, path }) => {
      if (path.startsWith('/slurmdb/')) return treatment;
      if (method === 'POST') sent += 1;
      return method === 'POST' && sent === 1 ? 'drop-before' : 'pass';
    };
    await startWorker();
    await stand.runs.start(run);
    await stand.runs.client.workflow.getHandle(run).result();
    expect(story(run)).toEqual(once);
    expect(sent).toBe(2);
    const words = treatment === 'not-served' ? 'this cluster keeps no accounts' : 'slurmdbd does not answer';
    expect(readFileSync(join(where.logs, 'worker.log'), 'utf8')).toContain(words);
  });

  it('jobs that slurmctld has forgotten are collected by their own files; one without any is lost, and tried again', async () => {
    const [run, mute] = [newRun(`${treatment}-done`), newRun(`${treatment}-mute`)];
    stand.proxy.rule = ({ path }) => (path.startsWith('/slurmdb/') ? treatment : 'pass');
    await startWorker();
    await reconfigure({ MinJobAge: '2' });
    try {
      await stand.runs.start(run, { steps: 10, stepSeconds: 0.5 });
      await stand.runs.start(mute, { steps: 10, stepSeconds: 0.5, sabotage: 'no-outcome' });
      const ids = [await runningJob(run), await runningJob(mute)];
      await stopWorker();
      const isGone = async (id: string) =>
        slurm('scontrol', 'show', 'job', id).then(
          () => false,
          () => true,
        );
      for (const id of ids) await until(`slurmctld has forgotten job ${id}`, 240, async () => isGone(id));
      await startWorker();
      for (const one of [run, mute]) await stand.runs.client.workflow.getHandle(one).result();
    } finally {
      await reconfigure({ MinJobAge: '300' });
    }
    expect(starts(run)).toEqual(['start a1']);
    expect(starts(mute)).toEqual(['start a1', 'start a2']);
    expect(await queued(mute)).toEqual([]);
  }, 900_000);
});
