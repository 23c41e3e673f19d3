/**
 * bench/metrics: what all metrics of one critic cost, with 1,000 resamples of whole sources, beside numpy and scipy on the same data in the same run.
 * The values of both must agree, so that nobody is fast by computing something else.
 *
 *   npm run bench:metrics -- [--rows 1000] [--sources 75] [--resamples 1000] [--repetitions 3] [--noise 1]
 *
 * `--noise 50` is a critic that guesses: there the fit is hardest. Ours measures what an evaluation measures (13 metrics); scipy's side computes the six that need more than a mean.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { breakDown } from '../../domain/evaluation/breakdown.ts';
import { judgeText, type JudgedItem, measure } from '../../domain/evaluation/evaluation.ts';
import { drawsOf, resamplingOf } from '../../domain/evaluation/resampling.ts';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';
import { pythonEnvironment, stackConfig } from '../../infra/local/stack-config.ts';

const count = (text: string) => z.coerce.number().int().min(1).parse(text);
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000' },
    sources: { type: 'string', default: '75' },
    resamples: { type: 'string', default: '1000' },
    repetitions: { type: 'string', default: '3' },
    noise: { type: 'string', default: '1' },
  },
});
const [rows, sources, resamples, repetitions] = [values.rows, values.sources, values.resamples, values.repetitions].map(
  count,
);
const noisiness = z.coerce.number().min(0).parse(values.noise);
const compared = ['srcc', 'plcc', 'krcc', 'rmse', 'plcc_fit', 'main_score'] as const;
const seriesSchema = z.array(z.number().nullable());
const scipySchema = z.object({
  seconds: z.number(),
  versions: z.string(),
  values: z.object(Object.fromEntries(compared.map((name) => [name, seriesSchema]))),
});

/** A critic that follows opinions with noise and says two decimals. */
function makeItems(): JudgedItem[] {
  const random = seededRandom(20261128);
  const noise = () => noisiness * (random() + random() + random() - 1.5);
  return Array.from({ length: rows ?? 0 }, (_, index) => {
    const mos = Math.round((1 + 4 * random()) * 100) / 100;
    const score = Math.min(5, Math.max(1, mos + noise())).toFixed(2);
    const answer = judgeText(`<think>as it is</think><answer>${score}</answer>`, 40, mos, {
      shape: 'l1',
      format_weight: 0.5,
      floor: 0,
    });
    return { id: String(index), source: String(index % (sources ?? 1)), mos, greedy: answer, sampled: answer };
  });
}

const items = makeItems();
const draws = drawsOf(items, resamplingOf(items, 1, resamples));
const folder = mkdtempSync(join(tmpdir(), 'metrics-'));
const file = join(folder, 'input.json');
writeFileSync(
  file,
  JSON.stringify({
    x: items.map((item) => item.greedy.score),
    y: items.map((item) => item.mos),
    draws: draws.map((draw) => [...draw]),
  }),
);
const python = join(pythonEnvironment(stackConfig()), 'bin/python');
const script = new URL('./scipy_side.py', import.meta.url).pathname;
const seconds: { ours: number; scipy: number }[] = [];
console.log(`${rows} rows of ${sources} sources, ${resamples} resamples; load ${(loadavg()[0] ?? NaN).toFixed(1)}`);
for (let round = 0; round < (repetitions ?? 0); round += 1) {
  const started = performance.now();
  const steps = measure(items, draws);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  const ours = (performance.now() - started) / 1000;
  const answer = execFileSync(python, [script, file], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const scipy = scipySchema.parse(JSON.parse(answer));
  seconds.push({ ours, scipy: scipy.seconds });
  if (round === 0) {
    for (const name of compared)
      console.log(agreementOf(name, step.value[name]?.values ?? [], scipy.values[name] ?? []));
  }
  console.log(`ours ${ours.toFixed(2)} s, ${scipy.versions} ${scipy.seconds.toFixed(2)} s`);
}
rmSync(folder, { recursive: true });
console.log(
  `the breakdown by three dimensions, eight methods and within sources: ${breakdownSeconds().toFixed(2)} s more`,
);
const ratios = seconds.map(({ ours, scipy }) => ours / scipy).toSorted((a, b) => a - b);
console.log(`ratio ours / scipy: median ${ratios[Math.floor(ratios.length / 2)]?.toFixed(3)} (goal ≤ 0.5)`);

/** What `metrics.json` holds beside these metrics. scipy's side does not make it. */
function breakdownSeconds(): number {
  const rowsOf = items.map((item, index) => ({
    ...item,
    method: `method ${index % 8}`,
    labels: { alignment: item.mos, fidelity: 6 - item.mos, quality: 1 + (index % 5) },
    score: item.greedy.score,
    ratings: { alignment: item.mos, fidelity: 3, quality: 1 + (index % 4) },
  }));
  const started = performance.now();
  const steps = breakDown(rowsOf, 1);
  while (steps.next().done !== true);
  return (performance.now() - started) / 1000;
}

/** The largest and the 95th percentile of |ours − scipy’s| over resamples in which both are defined, and how often one is not. */
function agreementOf(name: string, ours: readonly (number | null)[], theirs: readonly (number | null)[]): string {
  const gaps = ours.flatMap((value, i) => {
    const other = theirs[i] ?? null;
    return value === null || other === null ? [] : [Math.abs(value - other)];
  });
  const sorted = gaps.toSorted((a, b) => a - b);
  const p95 = sorted[Math.floor(0.95 * (sorted.length - 1))] ?? NaN;
  const none = (series: readonly (number | null)[]) => series.filter((value) => value === null).length;
  const undefinedIn = none(ours) + none(theirs) === 0 ? '' : `; undefined: ours ${none(ours)}, scipy ${none(theirs)}`;
  return `${name.padEnd(10)} |ours − scipy|: p95 ${p95.toExponential(1)}, largest ${(sorted.at(-1) ?? NaN).toExponential(1)}${undefinedIn}`;
}
