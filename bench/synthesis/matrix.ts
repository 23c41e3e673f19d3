/**
 * `npm run bench:synthesis:matrix`: our stage, for real, against servers that count differently; each some two minutes, three
 * at a time. `ONLY=actual` picks the cells whose name has it. tests/activities/teacher/limiter-goals.test.ts runs many more of them in
 * simulated time.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { textTable } from '../../domain/text-table.ts';
import { startServer, startStage } from './children.ts';
import { writeDataset } from './dataset.ts';
import { benchRecipe } from './recipe.ts';
import { tierLimits } from './tiers.ts';

type Limits = ReturnType<typeof tierLimits>;

const rows = Number(process.env['ROWS'] ?? 450);
const only = process.env['ONLY'] ?? '';
const small: Limits = { requestsPerMinute: 600, tokensPerMinute: 600_000 };
const flat = { 'picture-tokens': 765 };

const cells: [name: string, limits: Limits, options: Record<string, string | number>][] = [
  ['765 a picture, 1 s, drained', small, { ...flat, latency: 1, fill: 0 }],
  ['765 a picture, 1 s, fresh', small, { ...flat, latency: 1, fill: 1 }],
  ['765 a picture, 0.3 s, drained', small, { ...flat, latency: 0.3, fill: 0 }],
  ['765 a picture, 6 s, drained', small, { ...flat, latency: 6, fill: 0 }],
  ['25,500 a picture, tier 4, 1 s, drained', tierLimits(4), { 'picture-tokens': 25_500, latency: 1, fill: 0 }],
  ['2.5 characters a token, tier 2, 6 s, drained', tierLimits(2), { 'characters-per-token': 2.5, latency: 6, fill: 0 }],
  ['charge actual, 1 s, drained', small, { ...flat, charge: 'actual', latency: 1, fill: 0 }],
  ['charge actual, 6 s, fresh', small, { ...flat, charge: 'actual', latency: 6, fill: 1 }],
];

const folder = await mkdtemp(join(tmpdir(), 'critic-bench-matrix-'));
try {
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, 'bench-key\n', { mode: 0o600 });
  const path = join(folder, 'dataset');
  await writeDataset(path, rows);
  const { artifact } = await startStage({ store: await makeStore('dataset'), recipe: benchRecipe(path, {}) }).done;
  const atOnce = pLimit(3);
  const lines = await Promise.all(
    cells.map(([name, limits, options], index) =>
      atOnce(async () => (name.includes(only) ? [await measure(name, limits, options, index)] : [])),
    ),
  );
  console.log(textTable([['server', 'of the limit', 'of the first minute', 'refused'], ...lines.flat()]).join('\n'));

  async function measure(
    name: string,
    { requestsPerMinute, tokensPerMinute }: Limits,
    options: Record<string, string | number>,
    index: number,
  ): Promise<string[]> {
    const fill = Number(options['fill']);
    const stated = { requests_per_minute: requestsPerMinute, tokens_per_minute: tokensPerMinute };
    const server = await startServer({
      'requests-per-minute': requestsPerMinute,
      'tokens-per-minute': tokensPerMinute,
      ...options,
    });
    const synthesis = { baseUrl: server.baseUrl, keyFile, dataset: artifact };
    await startStage({ store: await makeStore(`cell-${index}`), recipe: benchRecipe(path, stated), synthesis }).done;
    const count = await server.count();
    await server.stop();
    const minutes = count.spanMs / 60_000;
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const line = [
      name,
      percent(count.tokens / ((minutes + fill) * tokensPerMinute)),
      percent(count.tokensFirstMinute / ((Math.min(1, minutes) + fill) * tokensPerMinute)),
      `${count.refused} of ${count.arrived} (${((100 * count.refused) / count.arrived).toFixed(2)} %)`,
    ];
    console.log(line.join(' · '));
    return line;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function makeStore(name: string): Promise<string> {
  const store = join(folder, `store-${name}`);
  await mkdir(store);
  return store;
}
