/**
 * `npm run bench:synthesis`: our synthesis stage against a server with GPT-4o's published limits (by default those of tier 4:
 * 10,000 requests and 2,000,000 tokens a minute; answers take 6 s at the median). All numbers but memory and disk are the
 * server's own count. `ROWS=4000` rows in the first scenario, half of them in the others; some twenty minutes.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { textTable } from '../../domain/text-table.ts';
import { type BenchServer, startServer, startStage, until } from './children.ts';
import { writeDataset } from './dataset.ts';
import { benchRecipe } from './recipe.ts';

const rows = Number(process.env['ROWS'] ?? 4000);
const perMinute = { requests: 10_000, tokens: Number(process.env['TOKENS_PER_MINUTE'] ?? 2_000_000) };
const only = process.env['ONLY']?.split(',');

const folder = await mkdtemp(join(tmpdir(), 'critic-bench-synthesis-'));
const keyFile = join(folder, 'key');
const results: string[][] = [['what', 'measured', 'goal']];
const goal = (what: string, measured: string, wish: string) => {
  results.push([what, measured, wish]);
  console.log(`${what}: ${measured} (goal ${wish})`);
};
const percent = (share: number) => `${(share * 100).toFixed(share < 0.02 ? 2 : 1)} %`;

try {
  await writeFile(keyFile, 'bench-key\n', { mode: 0o600 });
  const large = await makeDataset(rows);
  const small = await makeDataset(Math.round(rows / 2));
  if (wanted('fresh')) await fresh(large);
  if (wanted('drained')) await drained(small, 1);
  if (wanted('twice')) await drained(small, 2);
  if (wanted('kill')) await killed(small);
  if (wanted('faults')) await faulty(small);
  console.log(`\n${textTable(results).join('\n')}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface BenchDataset {
  rows: number;
  path: string;
  bytes: number;
  artifact: ArtifactRef;
}

function wanted(scenario: string): boolean {
  return only === undefined || only.includes(scenario);
}

/** A bucket that is full at the start; all rows; memory and disk. */
async function fresh(dataset: BenchDataset): Promise<void> {
  const server = await serve({ fill: 1 });
  const store = await makeStore('fresh');
  const { peakMiB, artifact } = await synthesis(store, dataset, server).done;
  const count = await server.count();
  await server.stop();
  const allowed = Math.min(2 * perMinute.tokens, (count.tokens / count.admitted) * dataset.rows);
  goal('fresh bucket, first minute: tokens taken / allowed', percent(count.tokensFirstMinute / allowed), '≥ 90 %');
  goal('fresh bucket: refused (429)', percent(count.refused / count.arrived), '≤ 0.5 %');
  goal(`peak memory at ${dataset.rows} rows, ${count.mostOpen} in flight`, `${peakMiB.toFixed(0)} MiB`, '≤ 300 MiB');
  const written = (await bytesBelow(store)) + (await bytesBelow(dataset.artifact.path));
  goal('bytes on disk / bytes of the input', `${(written / dataset.bytes).toFixed(2)} (1.00 is the copy)`, '< 2.7');
  goal('fresh bucket: rows kept', `${artifact.counts['kept']} of ${dataset.rows}`, 'all');
}

/** A drained bucket; the recipe states `factor` times the true limit. */
async function drained(dataset: BenchDataset, factor: number): Promise<void> {
  const server = await serve({ fill: 0 });
  const store = await makeStore(`drained-${factor}`);
  await synthesis(store, dataset, server, { tokens_per_minute: perMinute.tokens * factor }).done;
  const count = await server.count();
  await server.stop();
  const name = factor === 1 ? 'drained bucket' : `drained bucket, recipe states ${factor} times the limit`;
  const possible = (count.spanMs / 60_000) * perMinute.tokens;
  goal(`${name}: tokens taken / limit`, percent(count.tokens / possible), '≥ 97 %');
  goal(`${name}: refused (429)`, percent(count.refused / count.arrived), '≤ 0.5 %');
}

/** kill -9 at half; started again. */
async function killed(dataset: BenchDataset): Promise<void> {
  const server = await serve({ fill: 1 });
  const store = await makeStore('killed');
  const first = synthesis(store, dataset, server);
  first.done.catch(() => undefined);
  const atKill = await until(server, ({ rows: answered }) => answered >= dataset.rows / 2, 50);
  first.child.kill('SIGKILL');
  await first.done.catch(() => undefined);
  const before = await server.count();
  const second = synthesis(store, dataset, server);
  const after = await until(server, ({ arrived }) => arrived > before.arrived, 10);
  const restartMs = performance.now() - second.startedAt - (after.idleMs ?? 0);
  const { artifact } = await second.done;
  const count = await server.count();
  await server.stop();
  const named = (await uncertain(artifact)).length;
  goal('from restart to the first request', `${(restartMs / 1000).toFixed(2)} s`, '≤ 2 s');
  const twice = `${count.rowsPaidTwice} of ${atKill.open} in flight; ${named} named in the card`;
  goal('kill -9 at half: rows paid twice', twice, 'none but what was in flight, each named');
  goal('kill -9 at half: rows kept', `${artifact.counts['kept']} of ${dataset.rows}`, 'all');
}

/** One request in twenty goes wrong: 500, reset, cut off in the body, never answered. */
async function faulty(dataset: BenchDataset): Promise<void> {
  const server = await serve({ fill: 1, faults: 0.05 });
  const store = await makeStore('faulty');
  const { artifact } = await synthesis(store, dataset, server).done;
  const count = await server.count();
  await server.stop();
  goal('5 % of requests go wrong: rows lost', `${dataset.rows - (artifact.counts['kept'] ?? 0)}`, '0');
  const named = `${count.rowsPaidTwice}; ${(await uncertain(artifact)).length} without an answer named in the card`;
  goal('5 % of requests go wrong: rows paid twice (the answer was cut off)', named, 'each named');
}

function serve(options: Record<string, number>): Promise<BenchServer> {
  const limits = { 'requests-per-minute': perMinute.requests, 'tokens-per-minute': perMinute.tokens };
  return startServer({ ...limits, ...options });
}

async function makeStore(name: string): Promise<string> {
  const store = join(folder, `store-${name}`);
  await mkdir(store);
  return store;
}

function synthesis(store: string, dataset: BenchDataset, server: BenchServer, changes: Record<string, unknown> = {}) {
  const { baseUrl } = server;
  return startStage({
    store,
    recipe: recipe(dataset.path, changes),
    synthesis: { baseUrl, keyFile, dataset: dataset.artifact },
  });
}

async function makeDataset(count: number): Promise<BenchDataset> {
  const path = join(folder, `dataset-${count}`);
  const bytes = await writeDataset(path, count);
  const { artifact, peakMiB } = await startStage({ store: await makeStore(`dataset-${count}`), recipe: recipe(path) })
    .done;
  console.log(`dataset of ${count} rows, ${(bytes / 1e6).toFixed(0)} MB: checked, ${peakMiB.toFixed(0)} MiB at most`);
  return { rows: count, path, bytes, artifact };
}

function recipe(dataset: string, changes: Record<string, unknown> = {}): unknown {
  const { requests, tokens } = perMinute;
  return benchRecipe(dataset, { requests_per_minute: requests, tokens_per_minute: tokens, ...changes });
}

async function uncertain(artifact: ArtifactRef): Promise<unknown[]> {
  const card: unknown = JSON.parse(await readFile(join(artifact.path, 'card.json'), 'utf8'));
  return z.object({ uncertain_requests: z.array(z.unknown()) }).parse(card).uncertain_requests;
}

async function bytesBelow(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
