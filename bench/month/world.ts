/** What the month is played on: a local stack of its own, a recipe and a dataset that change from night to night, and the command. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as z from 'zod';
import { up } from '../../infra/local/stack.ts';
import { localEnvironment, type StackConfig } from '../../infra/local/stack-config.ts';
import { config, where } from '../stack.ts';

export const night = 'month';
const folder = join(config.state, 'month');
export const channelFile = join(folder, 'told.jsonl');
export const stack: StackConfig = { ...config, channelsFile: join(folder, 'channels.yaml') };
const dataset = join(folder, 'dataset');
const recipeFile = join(folder, 'recipe.yaml');
const nightFile = join(folder, 'month.night.yaml');

const [sources, edits] = [10, 4];
/** Sources of training pairs that the dataset has at first. Each version has one more. */
const firstSources = 4;

/** A fresh world, whose nights begin at this hour (UTC). The stack must be down. */
export function prepareWorld(hour: number): void {
  rmSync(config.state, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // The jobs' user reads dataset and recipe here.
  spawnSync('chmod', ['755', config.state, folder]);
  writeFileSync(stack.channelsFile ?? '', `default: [file]\nchannels:\n  file: { file: { path: ${channelFile} } }\n`);
  drawDataset();
  writeDataset(0);
  writeRecipe();
  writeFileSync(
    nightFile,
    `name: ${night}\nrecipe: recipe.yaml\ncalendar: { at: "${String(hour).padStart(2, '0')}:00" }\noverlap: skip\nowner: bench\ntell: [file]\n`,
  );
}

export const schedule = { apply: () => critic('schedule', 'apply', nightFile) };

function drawDataset(): void {
  const environment = localEnvironment(config);
  const numbers = ['--seed', '7', '--sources', String(sources), '--edits', String(edits)];
  const { status } = spawnSync(
    environment['CRITIC_PYTHON'] ?? 'python3',
    ['-m', 'critic_trainer.scenes', '--out', dataset, ...numbers],
    {
      stdio: 'inherit',
      env: { ...process.env, PYTHONPATH: join(config.checkout, 'trainer'), PYTHONDONTWRITEBYTECODE: '1' },
    },
  );
  if (status !== 0) throw new Error('the dataset could not be drawn');
  renameSync(join(dataset, 'pairs.jsonl'), join(folder, 'all-pairs.jsonl'));
}

const pair = z.looseObject({ source_id: z.string(), split: z.string() });

/** Version 0, 1, 2 …: the same pairs and, with each version, those of one more source to train on. By one rename. */
export function writeDataset(version: number): void {
  const lines = readFileSync(join(folder, 'all-pairs.jsonl'), 'utf8').trim().split('\n');
  const rows = lines.map((line) => ({ line, ...pair.parse(JSON.parse(line)) }));
  const training = [...new Set(rows.filter(({ split }) => split === 'train').map(({ source_id: id }) => id))];
  const kept = new Set(training.slice(0, firstSources + version));
  const shown = rows.filter(({ split, source_id: id }) => split !== 'train' || kept.has(id));
  replace(join(dataset, 'pairs.jsonl'), shown.map(({ line }) => `${line}\n`).join(''));
}

/** The recipe as it is in this folder, with lines replaced. */
export function writeRecipe(...changes: readonly (readonly [from: string, to: string])[]): void {
  let text = readFileSync(new URL('recipe.yaml', import.meta.url), 'utf8')
    .replace('DATASET', dataset)
    .replace('BASE_MODEL', join(config.checkout, 'models/tiny-critic'));
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the recipe has no "${from}"`);
    text = text.replace(from, to);
  }
  replace(recipeFile, text);
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** `critic …` as a person types it; its output. Throws if it fails. */
export async function critic(...args: string[]): Promise<string> {
  const cli = join(config.checkout, 'cli/main.ts');
  const env = { ...process.env, ...localEnvironment(stack) };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env, maxBuffer: 2 ** 26 });
  return stdout;
}

const pidRecord = z.object({ pid: z.int() });

/** kill -9, a pause, and up again: what a supervisor does. */
export async function killAndRestart(service: 'worker' | 'temporal', pauseMs: number): Promise<void> {
  const { pid } = pidRecord.parse(JSON.parse(readFileSync(join(where.pids, `${service}.json`), 'utf8')));
  process.kill(pid, 'SIGKILL');
  await sleep(pauseMs);
  await up(stack, () => undefined);
}
