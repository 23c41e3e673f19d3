/** SFT under ZeRO-3 on two nodes of a real Slurm: asked to stop, killed in one of its processes, at its time limit, cancelled. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { endOf, ranksOf, reaches, rowsOf, type Settings, until, writeRecipe } from './ranks-world.ts';
import { accountedJobs, critic, sees, store } from './stack.ts';

const execute = promisify(execFile);

/** Starts a run; `attempt` gives the folders of its SFT. */
async function startRun(settings: Settings) {
  const folder = await mkdtemp(join(tmpdir(), 'critic-ranks-'));
  const { recipe, dataset } = await writeRecipe(folder, settings);
  const started = critic('run', recipe, '--dataset', dataset, '--fail-on-question');
  const [, run = 'none'] = await sees(started.seen, /^run (smoke-\S+)/m, 60);
  const attempt = (number: number) => join(store, 'runs', run, 'jobs/sft', `a${number}`);
  const end = async () => {
    await critic('cancel', run).done;
    await started.done;
    await rm(folder, { recursive: true });
  };
  return { run, attempt, end };
}

it('SFT on two nodes, its records tokenised before, checkpoints all ranks at one step when asked, and outlives the death of one', async () => {
  const { run, attempt, end } = await startRun({ epochs: 4, minutes: 10, tokenize: true });
  await reaches(attempt(1), 5);
  const [job] = (await accountedJobs(run)).get(`critic-${run}-sft-a1`) ?? [];
  await execute('scancel', ['--signal=USR2', '--batch', job?.id ?? 'none']);
  await reaches(attempt(2), 7);
  const before = await rowsOf(attempt(1));
  const stopped = before.at(-1)?.step ?? 0;
  expect(await endOf(attempt(1))).toEqual({ exit_code: 85, signal: null });
  expect((await rowsOf(attempt(2)))[0]?.step).toBe(stopped + 1);

  const second = (await ranksOf(attempt(2))).get(1);
  if (second === undefined) throw new Error('the second rank does not run');
  process.kill(second, 'SIGKILL');
  await until('the third attempt done', () => Promise.resolve(existsSync(join(attempt(3), 'result.json'))));
  await end();

  expect(await endOf(attempt(2))).toEqual({ exit_code: 137, signal: 'SIGKILL' });
  const [killed, resumed] = [await rowsOf(attempt(2)), await rowsOf(attempt(3))];
  const total = resumed[0]?.total_steps ?? Number.NaN;
  const from = resumed[0]?.step ?? Number.NaN;
  expect(resumed.map(({ step }) => step)).toEqual(Array.from({ length: total - from + 1 }, (_, index) => from + index));
  // What both did after the last checkpoint is the same to the last digit.
  const twice = killed.filter(({ step }) => step >= from);
  expect(from).toBeGreaterThan(stopped);
  expect(twice).toEqual(resumed.slice(0, twice.length));
  const settings = await readFile(join(attempt(3), 'work/llamafactory.yaml'), 'utf8');
  expect(settings).toMatch(/^tokenized_path: .*\/artifacts\/tokenize\/[0-9a-f]{32}\/tokenized$/m);
}, 600_000);

it('SFT on two nodes checkpoints all ranks before its time limit and goes on in another job; cancelled, no rank is left', async () => {
  // At half of so short a limit the job asks itself for a checkpoint.
  const { run, attempt, end } = await startRun({ epochs: 100, minutes: 1 });
  await reaches(attempt(2), 1);
  const stopped = (await rowsOf(attempt(1))).at(-1)?.step ?? 0;
  expect(await endOf(attempt(1))).toEqual({ exit_code: 85, signal: null });
  expect(await readdir(join(attempt(1), 'checkpoints'))).toContain(`checkpoint-${stopped}`);
  expect((await rowsOf(attempt(2)))[0]?.step).toBe(stopped + 1);
  const [job] = (await accountedJobs(run)).get(`critic-${run}-sft-a1`) ?? [];
  expect(job?.state).toBe('FAILED');

  expect(new Set((await ranksOf(attempt(2))).keys())).toEqual(new Set([0, 1]));
  await end();
  expect(await ranksOf(attempt(2))).toEqual(new Map());
}, 600_000);
