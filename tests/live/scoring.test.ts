/**
 * Scoring on a real Slurm with the real trainer: 200 pairs that the critic never saw, from a CSV; worker and job are killed (-9) in the middle, and again the
 * scoring is cancelled and resumed. Every row has its score once, and no batch that a checkpoint has is answered again.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { endingView } from '../../cli/commands/watch.ts';
import { ranksOf, until } from './ranks-world.ts';
import { critic, sees, state, store, workerPid } from './stack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);
const count = 200;

const pairRow = z.looseObject({
  id: z.string(),
  instruction: z.string(),
  source_image: z.string(),
  edited_image: z.string(),
  mos: z.looseObject({ overall: z.number() }),
});
const scoreRow = z.looseObject({ id: z.string(), score: z.number().nullable(), answer: z.string().nullable() });

/** Draws a dataset and returns its folder. */
async function drawn(name: string, seed: number, sources: number): Promise<string> {
  const folder = join(state, 'datasets', name);
  const python = process.env['CRITIC_PYTHON'] ?? 'none';
  const sizes = ['--seed', String(seed), '--sources', String(sources), '--edits', '4'];
  await execute(python, ['-m', 'critic_trainer.scenes', '--out', folder, ...sizes], {
    env: { ...process.env, PYTHONPATH: join(root, 'trainer') },
  });
  return folder;
}

/** A table of other names: opinions from 0 to 100, the lower the better. */
async function writeTable(folder: string): Promise<void> {
  const text = await readFile(join(folder, 'pairs.jsonl'), 'utf8');
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => pairRow.parse(JSON.parse(line)));
  const quoted = (one: string) => `"${one.replaceAll('"', '""')}"`;
  const lines = rows.map(({ id, instruction, source_image, edited_image, mos }) =>
    [id, source_image, edited_image, quoted(instruction), (125 - 25 * mos.overall).toFixed(3)].join(','),
  );
  await writeFile(join(folder, 'other.csv'), ['id,source,edited,instruction,badness', ...lines, ''].join('\n'));
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.endsWith('}'));
}

const answeredIn = async (attempt: string): Promise<number> => {
  const last = (await linesOf(join(attempt, 'metrics.jsonl'))).at(-1);
  return last === undefined ? 0 : z.looseObject({ rows: z.number() }).parse(JSON.parse(last)).rows;
};
const hasCheckpoint = async (attempt: string) =>
  existsSync(join(attempt, 'checkpoints')) &&
  (await readdir(join(attempt, 'checkpoints'))).some((name) => /^checkpoint-\d+$/.test(name));

it('200 pairs that the critic never saw are scored once each, whatever is killed, cancelled and resumed', async () => {
  const own = await mkdtemp(join(tmpdir(), 'critic-scoring-'));
  const train = await drawn('scoring-train', 3, 12);
  const unseen = await drawn('scoring-unseen', 77, count / 4);
  await writeTable(unseen);
  const seed = String(Date.now() % 1_000_000_000);
  const trained = critic('run', 'recipes/smoke.yaml', '--dataset', train, '--seed', seed);
  const [, run = 'none'] = await sees(trained.seen, /^run (smoke-\S+)/m, 60);
  await trained.done;

  const jobs = (id: string, number: number) => join(store, 'runs', id, 'jobs/predict-pairs', `a${number}`);
  // So many answers that the job outlives its first checkpoint (after 15 s) on a quiet machine too.
  const asked = ['score', '--run', run, '--input', join(unseen, 'other.csv'), '--samples', '16'];
  const first = critic(...asked);
  const [, id = 'none'] = await sees(first.seen, /^run (score-smoke-\S+)/m, 60);
  await until('a checkpoint of the first attempt', () => hasCheckpoint(jobs(id, 1)));
  const [trainer = 0] = (await ranksOf(jobs(id, 1))).values();
  process.kill(workerPid(), 'SIGKILL');
  process.kill(trainer, 'SIGKILL');
  expect(await critic('local', 'up').done).toMatchObject({ code: 0 });
  const kept = Math.max(
    ...(await readdir(join(jobs(id, 1), 'checkpoints'))).map((name) => Number(name.slice('checkpoint-'.length))),
  );
  await until('the second attempt', async () => (await answeredIn(jobs(id, 2))) > 0);
  // The first batch that it answers is one that no checkpoint has.
  const [begun = ''] = await linesOf(join(jobs(id, 2), 'metrics.jsonl'));
  expect(z.looseObject({ rows: z.number() }).parse(JSON.parse(begun)).rows).toBeGreaterThan(kept);
  const before = await answeredIn(jobs(id, 2));

  expect((await critic('cancel', id).done).code).toBe(0);
  expect((await first.done).code).toBe(1);
  const { code, output } = await critic('score', '--resume', id, '--json').done;
  expect(code).toBe(0);
  const ending = endingView.schema.parse(JSON.parse(output.slice(output.indexOf('\n{'))));
  if (ending.status !== 'scored') throw new Error(`expected scores, got ${ending.status}`);
  expect(ending).toMatchObject({ pairs: count, refused: 0 });
  expect(ending.scored + ending.unreadable).toBe(count);
  const [again = ''] = await linesOf(join(jobs(ending.id, 1), 'metrics.jsonl'));
  expect(z.looseObject({ rows: z.number() }).parse(JSON.parse(again)).rows).toBeGreaterThan(kept);
  expect(before).toBeGreaterThan(kept);

  const scores = (await linesOf(ending.files.jsonl)).map((line) => scoreRow.parse(JSON.parse(line)));
  expect(new Set(scores.map((row) => row.id)).size).toBe(count);
  expect(scores.filter((row) => row.answer !== null)).toHaveLength(count);

  // Once more: the answers stand, and no job runs.
  const repeated = await critic(...asked).done;
  expect(repeated.code).toBe(0);
  expect(repeated.output).toMatch(/↺ predict-pairs/);
  await rm(own, { recursive: true });
}, 900_000);
