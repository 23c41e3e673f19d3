/** Submission and each moment of kill -9: whenever a worker dies, the next one ends with one job, and one job works. */
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Cluster, cluster, exists, name, worker } from './job-worker.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from './moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('./moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('./moments.ts')).virtualTimers);

useVirtualTime();

const replaced = [
  'open submission.json.*.tmp',
  'writeFile',
  'sync',
  'rename submission.json.*.tmp submission.json',
  'sync',
];
const effects = [...replaced, 'POST', ...replaced];
/** What the next worker does, by the number of the effect before which the first one died. */
const moments: [string, number, { adopted: boolean; looksSeconds: number }][] = effects.map((what, at) => {
  const [intended, sent, recorded] = [at > 3, at > 5, at > 9];
  const goesOn = { adopted: sent, looksSeconds: intended && !sent ? 60 : 0 };
  const when = recorded
    ? 'its answer is on disk'
    : sent
      ? 'the job stands'
      : intended
        ? 'the intent stands'
        : 'nothing stands';
  return [`"${what}", when ${when}`, at, goesOn];
});

const posts = ({ slurm }: Cluster) => slurm.asked.filter((what) => what === 'submit').length;

/** Jobs that do the attempt's work, if nodes take what is queued until nothing is left. */
async function workers({ slurm }: Cluster): Promise<string[]> {
  for (let turns = 0; turns < 4; turns += 1) {
    await slurm.schedule();
    for (const { id, state } of slurm.jobs) if (state === 'RUNNING') slurm.end(id, 'COMPLETED');
  }
  return slurm.worked;
}

describe('a submission', () => {
  it('has these effects, so it can be killed between them and nowhere else', async () => {
    const at = await cluster();
    expect(await effectsOf(() => worker(at).submit())).toEqual(effects);
    expect(posts(at)).toBe(1);
  });

  it.each(moments)('killed before %s is gone on with by the next worker', async (_what, moment, goesOn) => {
    const at = await cluster();
    await killedAt(moment, () => worker(at).submit());
    const startedAt = Date.now();
    expect(await lived(() => worker(at).submit())).toEqual({ jobId: '7', adopted: goesOn.adopted });
    expect(Math.round((Date.now() - startedAt) / 1000)).toBe(goesOn.looksSeconds);
    expect(posts(at)).toBe(1);
    expect(await workers(at)).toEqual(['7']);
  });

  it('killed at any two of its moments, one after the other, still ends with one job', async () => {
    for (let first = 0; first < effects.length; first += 1) {
      const count = (await afterKill(first)).length;
      for (let second = 0; second < count; second += 1) {
        const at = await cluster();
        await killedAt(first, () => worker(at).submit());
        await killedAt(second, () => worker(at).submit());
        const { jobId } = await lived(() => worker(at).submit());
        expect([first, second, jobId, posts(at), await workers(at)]).toEqual([first, second, '7', 1, ['7']]);
      }
    }
  });

  it.each(moments)('killed before %s and cancelled leaves no job, and none that works later', async (_what, moment) => {
    const at = await cluster();
    await killedAt(moment, () => worker(at).submit());
    const stood = at.slurm.jobs.length;
    expect(await lived(() => worker(at).cancel())).toEqual({ jobId: stood === 1 ? '7' : null });
    at.slurm.create(name, at.folder);
    expect(await workers(at)).toEqual([]);
    expect(await exists(join(at.folder, 'claim'))).toBe(true);
  });
});

/** Effects of the worker that comes after one that died here. */
async function afterKill(moment: number): Promise<string[]> {
  const at = await cluster();
  await killedAt(moment, () => worker(at).submit());
  return effectsOf(() => worker(at).submit());
}

describe('two workers that submit the same attempt at once', () => {
  it('may both post: of their jobs one works, the other meets its claim', async () => {
    const at = await cluster();
    await lived(() => Promise.all([worker(at).submit(), worker(at).submit()]));
    expect(posts(at)).toBe(2);
    expect(await workers(at)).toEqual(['7']);
  });

  it('post once if the second comes after the first has posted, though its answer is on the way', async () => {
    const at = await cluster();
    await killedAt(6, () => worker(at).submit());
    const both = await lived(() => Promise.all([worker(at).submit(), worker(at).submit()]));
    expect(both).toEqual([
      { jobId: '7', adopted: true },
      { jobId: '7', adopted: true },
    ]);
    expect(posts(at)).toBe(1);
  });
});
