/**
 * bench/metrics: what all metrics of one critic cost, with 1,000 resamples of whole sources, beside numpy and scipy on the same data in the same run.
 * The values of both must agree, so that nobody is fast by computing something else.
 *
 *   npm run bench:metrics -- [--rows 1000] [--sources 75] [--resamples 1000] [--repetitions 3] [--noise 1]
 *
 * `--noise 50` is a critic that guesses: there the fit is hardest. Ours measures what an evaluation measures (13 metrics, and the breakdown by dimension,
 * method and within sources); scipy's side computes the six that need more than a mean, and the breakdown but within sources.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { dimensionNames } from '../../domain/critique/ratings.ts';
import { breakDown, type Breakdown, type BreakdownRow, type Part } from '../../domain/evaluation/breakdown.ts';
import { judgeText, type JudgedItem, measure } from '../../domain/evaluation/evaluation.ts';
import { drawsOf, type Estimate, resamplingOf, toEstimate } from '../../domain/evaluation/resampling.ts';
import type { Weights } from '../../domain/evaluation/scored-pairs.ts';
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
/** As the evaluation's own: `domain/evaluation/breakdown.ts`. */
const breakdownResamples = 200;
const breakdownSeed = 1;
const seriesSchema = z.array(z.number().nullable());
const scipySchema = z.object({
  seconds: z.number(),
  versions: z.string(),
  values: z.object(Object.fromEntries(compared.map((name) => [name, seriesSchema]))),
  breakdown: z.object({ seconds: z.number(), main_scores: z.array(seriesSchema) }),
});

/** A score of 1 to 5, as near to people's as `--noise` says. */
function noisy(random: () => number, mos: number): number {
  return Math.min(5, Math.max(1, mos + noisiness * (random() + random() + random() - 1.5)));
}

/** A critic that follows opinions with noise and says two decimals. */
function makeItems(): JudgedItem[] {
  const random = seededRandom(20261128);
  return Array.from({ length: rows ?? 0 }, (_, index) => {
    const mos = Math.round((1 + 4 * random()) * 100) / 100;
    const score = noisy(random, mos).toFixed(2);
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
const rowsOfAll = breakdownRows();
const parts = partsOf(rowsOfAll);
const folder = mkdtempSync(join(tmpdir(), 'metrics-'));
const file = join(folder, 'input.json');
writeFileSync(
  file,
  JSON.stringify({
    x: items.map((item) => item.greedy.score),
    y: items.map((item) => item.mos),
    draws: draws.map((draw) => [...draw]),
    parts: parts.map(({ predicted, people, draws: drawn }) => ({
      x: predicted,
      y: people,
      draws: drawn.map((draw) => [...draw]),
    })),
  }),
);
const python = join(pythonEnvironment(stackConfig()), 'bin/python');
const script = new URL('./scipy_side.py', import.meta.url).pathname;
const ratios: { metrics: number; breakdown: number; both: number }[] = [];
console.log(`${rows} rows of ${sources} sources, ${resamples} resamples; load ${(loadavg()[0] ?? NaN).toFixed(1)}`);
for (let round = 0; round < (repetitions ?? 0); round += 1) {
  const ours = timed(measure(items, draws));
  const broken = timed(breakDown(rowsOfAll, breakdownSeed));
  const answer = execFileSync(python, [script, file], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const scipy = scipySchema.parse(JSON.parse(answer));
  if (round === 0) {
    for (const name of compared)
      console.log(agreementOf(name, ours.result[name]?.values ?? [], scipy.values[name] ?? []));
    console.log(breakdownAgreement(broken.result, scipy.breakdown.main_scores));
  }
  ratios.push({
    metrics: ours.seconds / scipy.seconds,
    breakdown: broken.seconds / scipy.breakdown.seconds,
    both: (ours.seconds + broken.seconds) / (scipy.seconds + scipy.breakdown.seconds),
  });
  console.log(
    `metrics: ours ${ours.seconds.toFixed(2)} s, ${scipy.versions} ${scipy.seconds.toFixed(2)} s; breakdown of ${parts.length} parts: ours ${broken.seconds.toFixed(2)} s, scipy ${scipy.breakdown.seconds.toFixed(2)} s`,
  );
}
rmSync(folder, { recursive: true });
const median = (of: 'metrics' | 'breakdown' | 'both') => {
  const sorted = ratios.map((one) => one[of]).toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)]?.toFixed(3);
};
console.log(
  `ratio ours / scipy: median ${median('both')} (goal ≤ 0.5); metrics ${median('metrics')}, breakdown ${median('breakdown')}`,
);

/** Runs to the end, and says how long that took. */
function timed<Result>(steps: Generator<unknown, Result>): { result: Result; seconds: number } {
  const started = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { result: step.value, seconds: (performance.now() - started) / 1000 };
  }
}

/** Three labelled dimensions, of which the critique states whole numbers, and eight methods. */
function breakdownRows(): BreakdownRow[] {
  const random = seededRandom(20261129);
  const stated = (label: number) => Math.round(noisy(random, label));
  return items.map((item, index) => {
    const labels = { alignment: item.mos, fidelity: 6 - item.mos, quality: 1 + (index % 5) };
    return {
      id: item.id,
      source: item.source,
      mos: item.mos,
      method: `method ${index % 8}`,
      labels,
      score: item.greedy.score,
      ratings: {
        alignment: stated(labels.alignment),
        fidelity: stated(labels.fidelity),
        quality: stated(labels.quality),
      },
    };
  });
}

/** The same parts and draws as `breakDown` makes, in its order. All rows are readable here. */
function partsOf(all: readonly BreakdownRow[]): { predicted: number[]; people: number[]; draws: Weights[] }[] {
  const part = (
    those: readonly BreakdownRow[],
    x: (row: BreakdownRow) => number,
    y: (row: BreakdownRow) => number,
  ) => ({
    predicted: those.map(x),
    people: those.map(y),
    draws: drawsOf(those, resamplingOf(those, breakdownSeed, breakdownResamples)),
  });
  const score = (row: BreakdownRow) => row.score ?? Number.NaN;
  const dimensions = dimensionNames.flatMap((name) => {
    const label = (row: BreakdownRow) => row.labels[name] ?? Number.NaN;
    return [part(all, score, label), part(all, (row) => row.ratings[name] ?? Number.NaN, label)];
  });
  const methods = [...Map.groupBy(all, ({ method }) => method).values()];
  return [...dimensions, ...methods.map((those) => part(those, score, ({ mos }) => mos))];
}

/** Gaps of MainScore's value and of the bounds of its interval, by part. A part that the critic guesses has fits with several optima. */
function breakdownAgreement({ dimensions, methods }: Breakdown, theirs: readonly (number | null)[][]): string {
  const named = [
    ...Object.entries(dimensions).flatMap(([name, { overall, stated }]): [string, Part][] => [
      [`${name} by the overall score`, overall],
      [`${name} as stated`, stated],
    ]),
    ...Object.entries(methods),
  ];
  const gaps = named.map(([name, part], index) => {
    const [value = null, ...drawn] = theirs[index] ?? [];
    const numbers = (one: Estimate | undefined) => [one?.value, ...(one?.interval ?? [null, null])];
    const scipy = numbers(toEstimate({ value, values: drawn }));
    const ours = numbers(part.metrics?.main_score);
    const both = ours.flatMap((number, i) => {
      const other = scipy[i] ?? null;
      return number === undefined || number === null || other === null ? [] : [Math.abs(number - other)];
    });
    return { name, gap: Math.max(0, ...both), isWhole: both.length === ours.length };
  });
  const undefinedIn = gaps.filter(({ isWhole }) => !isWhole).length;
  const [largest, next] = gaps.toSorted((one, other) => other.gap - one.gap);
  const told = (one: (typeof gaps)[number] | undefined) => `${one?.gap.toExponential(1)} (${one?.name})`;
  return `breakdown  |ours − scipy| of MainScore and its bounds in ${named.length} parts: largest ${told(largest)}, next ${told(next)}${undefinedIn === 0 ? '' : `; undefined on a side in ${undefinedIn}`}`;
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
