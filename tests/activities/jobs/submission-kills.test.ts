/** Submission and each moment of kill -9: whenever a worker dies, the next one ends with one job, and one job works. */
import { join } from 'node:path';
import { isTerminal } from 'slurm-rest-client';
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

  it.each(moments)(
    'killed before %s, whose next worker is killed at any moment too, ends with one job',
    async (_what, first) => {
      const count = (await afterKill(first)).length;
      for (let second = 0; second < count; second += 1) {
        const at = await cluster();
        await killedAt(first, () => worker(at).submit());
        await killedAt(second, () => worker(at).submit());
        const { jobId } = await lived(() => worker(at).submit());
        expect([second, jobId, posts(at), await workers(at)]).toEqual([second, '7', 1, ['7']]);
      }
    },
  );

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

/** Whole numbers below `count`, the same for the same seed (Lehmer's generator). */
function dice(seed: number): (count: number) => number {
  let state = seed * 7_919 + 1;
  return (count) => (state = (state * 48_271) % 2_147_483_647) % count;
}

/** Something that happens to a cluster. */
async function happens(at: Cluster, roll: (count: number) => number): Promise<string> {
  const { slurm } = at;
  const running = slurm.jobs.find(({ state }) => state === 'RUNNING');
  const ended = slurm.jobs.find(isTerminal);
  switch (roll(8)) {
    case 0: {
      const createdAfterMs = [0, 30_000, 90_000, 900_000, undefined][roll(5)];
      const error = { kind: 'ambiguous', delivery: 'unknown' } as const;
      slurm.fates.push(createdAfterMs === undefined ? { error } : { error, createdAfterMs });
      return `the next answer is lost, its job comes after ${createdAfterMs} ms`;
    }
    case 1:
      slurm.records = slurm.records === undefined ? [...slurm.jobs] : undefined;
      return `slurmdbd ${slurm.records === undefined ? 'goes' : 'comes'}`;
    case 2:
      await slurm.schedule();
      return 'nodes take what is queued';
    case 3:
      if (running !== undefined) slurm.end(running.id, 'COMPLETED');
      return 'what runs ends';
    case 4:
      if (ended !== undefined) slurm.forget(ended.id);
      return 'slurmctld forgets';
    case 5:
      await vi.advanceTimersByTimeAsync(600_000);
      return 'ten minutes pass';
    default: {
      const moment = roll(12);
      const isKilled = await killedAt(moment, () =>
        worker(at)
          .submit()
          .catch(() => undefined),
      ).then(
        () => true,
        () => false,
      );
      return `a worker submits${isKilled ? `, killed before its effect ${moment}` : ''}`;
    }
  }
}

/** What one worker says in the end, tried once a minute. */
async function inTheEnd<T>(at: Cluster, act: (one: ReturnType<typeof worker>) => Promise<T>): Promise<T> {
  const one = worker(at);
  for (;;) {
    const said = await lived(() =>
      act(one).then(
        (value) => ({ value }),
        () => undefined,
      ),
    );
    if (said !== undefined) return said.value;
    await vi.advanceTimersByTimeAsync(60_000);
  }
}

describe('whatever happens to an attempt', () => {
  /** Three thousand in a minute: `STORIES=1500 npm run test:unit -- submission-kills --testTimeout 300000`. */
  const seeds = Array.from({ length: Number(process.env['STORIES'] ?? 50) }, (_, seed) => seed);

  it('one job works once it was submitted', async () => {
    for (const seed of seeds) {
      const at = await cluster();
      const roll = dice(seed);
      const story: string[] = [];
      for (let acts = 2 + roll(8); acts > 0; acts -= 1) story.push(await happens(at, roll));
      await inTheEnd(at, ({ submit }) => submit());
      expect([seed, story, (await workers(at)).length]).toEqual([seed, story, 1]);
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect([seed, story, (await workers(at)).length]).toEqual([seed, story, 1]);
    }
  });

  it('no job works after it was cancelled, and none is left', async () => {
    for (const seed of seeds) {
      const at = await cluster();
      const roll = dice(seed + 1_000);
      const story: string[] = [];
      for (let acts = 2 + roll(8); acts > 0; acts -= 1) story.push(await happens(at, roll));
      await inTheEnd(at, ({ cancel }) => cancel());
      expect([seed, story, at.slurm.jobs.filter((one) => !isTerminal(one))]).toEqual([seed, story, []]);
      const before = at.slurm.worked.length;
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect([seed, story, (await workers(at)).length, before <= 1]).toEqual([seed, story, before, true]);
    }
  });
});
