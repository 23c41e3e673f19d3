/**
 * `npm run bench:batch`: memory and disk of a synthesis by batches with two 1-MP pictures a row. `ROWS=4000`. The server
 * answers at once: what is measured is what we hold while shards of 190 MB are written, sent and collected.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { hasCode } from '../../activities/store/durable-file.ts';
import { textTable } from '../../domain/text-table.ts';
import { startStage } from '../synthesis/children.ts';
import { writeDataset } from '../synthesis/dataset.ts';
import { benchRecipe } from '../synthesis/recipe.ts';

const rows = Number(process.env['ROWS'] ?? 4000);
const folder = await mkdtemp(join(tmpdir(), 'critic-bench-batch-'));
const server = spawn(process.execPath, [fileURLToPath(new URL('server.ts', import.meta.url))], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const [baseUrl] = z.tuple([z.string()]).parse(await once(createInterface({ input: server.stdout }), 'line'));
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, 'bench-key\n', { mode: 0o600 });
  const path = join(folder, 'dataset');
  const store = join(folder, 'store');
  await mkdir(store);
  await writeDataset(path, rows);
  const recipe = makeRecipe(path);
  const { artifact: dataset } = await startStage({ store, recipe }).done;
  let largest = 0;
  const shards = new Set<string>();
  const look = async () => {
    for (const { name, bytes } of await shardsBelow(store)) {
      largest = Math.max(largest, bytes);
      shards.add(name);
    }
  };
  const timer = setInterval(() => void look(), 50);
  const stage = startStage({ store, recipe, synthesis: { baseUrl, keyFile, dataset } });
  const { artifact, peakMiB } = await stage.done;
  const seconds = (performance.now() - stage.startedAt) / 1000;
  clearInterval(timer);
  console.log(
    textTable([
      ['what', 'measured', 'goal'],
      ['rows kept', `${artifact.counts['kept']} of ${rows}`, 'all'],
      ['peak memory', `${peakMiB.toFixed(0)} MiB`, '≤ 300 MiB'],
      ['shards, the largest', `${shards.size}, ${(largest / 1e6).toFixed(0)} MB`, '≤ 200 MB'],
      ['time, a poll of 1 s included', `${seconds.toFixed(0)} s`, ''],
    ]).join('\n'),
  );
} finally {
  server.kill('SIGTERM');
  await rm(folder, { recursive: true, force: true });
}

/** The file of a shard that lies below the store at this moment, if one does. Folders come and go meanwhile. */
async function shardsBelow(store: string): Promise<{ name: string; bytes: number }[]> {
  const root = join(store, 'partial/synthesis');
  try {
    const keys = (await readdir(root)).filter((key) => !key.startsWith('try-'));
    const folders = keys.map((key) => join(root, key, 'shards'));
    const files = await Promise.all(
      folders.map(async (path) => (await readdir(path)).map((name) => ({ name, path: join(path, name) }))),
    );
    return await Promise.all(files.flat().map(async ({ name, path }) => ({ name, bytes: (await stat(path)).size })));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function makeRecipe(dataset: string): unknown {
  return benchRecipe(dataset, {
    api: 'batch',
    batch: { queued_tokens: 50_000_000, poll_seconds: 1 },
    filter: { near_duplicate: null },
  });
}
