import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { forEachConcurrently } from '../../activities/bounded-concurrency.ts';
import { seededRandom, textHash } from '../../domain/evaluation/seeded-random.ts';
import { fixture } from './fixture.ts';
import type { Asked, Treatment } from './proxy.ts';
import { newRun, until } from './runs.ts';
import { counters, reconfigure, slurm } from './stack.ts';

const stand = fixture();
const size = Number(process.env['SOAK'] ?? 50);
const seed = Number(process.env['SOAK_SEED'] ?? 1);
/** Runs open at a time: what two CPUs and sixteen of Slurm's carry. */
const width = 60;

/** Shares of what happens to a submission, and to anything else. The rest passes. */
const submissionFates: [Treatment, number][] = [
  ['drop-before', 0.1],
  ['drop-after', 0.1],
  ['truncate', 0.1],
  ['twice', 0.1],
  ['late', 0.1],
];
const otherFates: [Treatment, number][] = [
  ['drop-before', 0.02],
  ['drop-after', 0.02],
  ['truncate', 0.02],
  ['late', 0.02],
];

function draw(fates: [Treatment, number][], chance: number): Treatment {
  let sum = 0;
  for (const [treatment, share] of fates) {
    sum += share;
    if (chance < sum) return treatment;
  }
  return 'pass';
}

/** The n-th submission of a name meets the same fate in every soak of one seed; other requests come as they come. */
function chaos(): (asked: Asked) => Treatment {
  const others = seededRandom(seed);
  const tries = new Map<string, number>();
  return ({ method, body }) => {
    if (method !== 'POST') return draw(otherFates, others());
    const name = /"name":"critic-soak-\w+-(\d+)-sft-a\d+"/.exec(body)?.[1] ?? body;
    const nth = (tries.get(name) ?? 0) + 1;
    tries.set(name, nth);
    return draw(submissionFates, seededRandom(textHash(`${name} ${nth}`, seed))());
  };
}

it(`${size} submissions through a network that drops, delays, duplicates and truncates: each attempt is executed once`, async () => {
  const soak = newRun('soak').replace(/-\d+$/, '');
  const counter = join(counters, soak);
  await reconfigure({ MinJobAge: '20' });
  stand.proxy.rule = chaos();
  stand.proxy.lateMs = 1_500;
  const startedAt = Date.now();
  const ids = Array.from({ length: size }, (_, i) => `${soak}-${i}`);
  await forEachConcurrently(ids, width, async (run) => {
    const handle = await stand.runs.start(run, { steps: 1, stepSeconds: 0.05, counter });
    await handle.result();
  });
  stand.proxy.rule = () => 'pass';
  const ours = `critic-${soak}-`;
  await until('none of its jobs is queued', 120, async () => !(await slurm('squeue', '-h', '-o', '%j')).includes(ours));
  await reconfigure({ MinJobAge: '300' });
  const lines = readFileSync(counter, 'utf8').trim().split('\n');
  const started = lines.filter((line) => line.startsWith('start ')).map((line) => line.split(' ')[1] ?? '');
  const posts = stand.proxy.seen.filter((one) => one.method === 'POST');
  const jobs = await accountedBy(soak);
  console.log(
    report({ soak, seconds: (Date.now() - startedAt) / 1000, posts, started, jobs, others: stand.proxy.seen }),
  );
  expect(started.toSorted()).toEqual(ids.map((id) => `critic-${id}-sft-a1`).toSorted());
  expect(lines.filter((line) => line.startsWith('end '))).toHaveLength(size);
  expect(jobs).toBeGreaterThanOrEqual(size);
}, 3_600_000);

async function accountedBy(soak: string): Promise<number> {
  const text = await slurm('sacct', '-X', '-n', '-P', '--allusers', '-S', 'now-1days', '-o', 'JobName%80');
  return text.split('\n').filter((name) => name.startsWith(`critic-${soak}-`)).length;
}

interface Tally {
  soak: string;
  seconds: number;
  posts: { treatment: Treatment }[];
  others: { method: string; treatment: Treatment }[];
  started: string[];
  jobs: number;
}

function report({ soak, seconds, posts, others, started, jobs }: Tally): string {
  const tally = (seen: { treatment: Treatment }[]) => {
    const counts = new Map<string, number>();
    for (const { treatment } of seen) counts.set(treatment, (counts.get(treatment) ?? 0) + 1);
    return [...counts].map(([treatment, count]) => `${treatment} ${count}`).join(', ');
  };
  return [
    `${soak}: seed ${seed}, ${size} attempts, ${seconds.toFixed(0)} s`,
    `  submissions that the worker sent: ${posts.length} (${tally(posts)})`,
    `  other requests interfered with: ${tally(others.filter((one) => one.method !== 'POST'))}`,
    `  jobs in Slurm: ${jobs}; attempts executed: ${started.length}, different ones: ${new Set(started).size}`,
  ].join('\n');
}
