/** Why a number of an experiment is missing or has no interval: which arm lacks it, and what its answers have. Pure. */
import type { JudgedItem, MetricName } from '../evaluation/evaluation.ts';
import { type Estimate, type Measured, toEstimate } from '../evaluation/resampling.ts';
import { lackOf, whyUnmeasured } from '../evaluation/unmeasured.ts';
import { type ComparedMetric, type Direction, metricWords, type QuantityOf } from './experiment.ts';

/** One model of one run: its answers to the common pairs, and what was measured of them. */
export interface Side {
  items: readonly JudgedItem[];
  measured: Partial<Record<MetricName, Measured>>;
}

/** The models of one run. `start` is what GRPO began with. */
export interface Sides {
  grpo: Side;
  start?: Side;
  hasSft: boolean;
}

/** By arm, then by seed. */
export type SidesTable = ReadonlyMap<string, ReadonlyMap<number, Sides>>;

const noEstimate: Estimate = { value: null, interval: null };

/** Why an arm's metric of this model lacks a value or an interval, seed by seed; undefined where no seed lacks it. */
export function whyArmLacks(
  table: SidesTable,
  arm: string,
  of: QuantityOf,
  metric: ComparedMetric,
): string | undefined {
  const runs = table.get(arm) ?? new Map<number, Sides>();
  const told = [...runs].flatMap(([seed, sides]) => {
    const why = modelsOf(sides, of).flatMap(([label, side]) => {
      const lacks = sideLacks(side, metric);
      return lacks === undefined ? [] : [`${label}${lacks}`];
    });
    return why.length === 0 ? [] : [`${runs.size > 1 ? `seed ${seed}: ` : ''}${why.join('; ')}`];
  });
  return told.length === 0 ? undefined : told.join('; ');
}

/** Why a sentence cannot be judged, as a sentence; undefined where its number has an interval. `measured`: that number. */
export function whyNotJudged(
  table: SidesTable,
  { arm, than, of, metric }: Pick<Direction, 'arm' | 'than' | 'of' | 'metric'>,
  measured: Estimate | null,
): string | undefined {
  if (measured !== null && measured.interval !== null) return undefined;
  const arms = than === undefined ? [arm] : [arm, than];
  const absent = arms.filter((one) => !table.has(one));
  if (absent.length > 0) return `${absent.join(' and ')} ${absent.length === 1 ? 'has' : 'have'} no run with numbers`;
  if (measured === null) return withoutModel(table, arms, of);
  const lacks = arms.flatMap((one) => {
    const why = whyArmLacks(table, one, of, metric);
    return why === undefined ? [] : [`${one} has ${lackOf(metricWords[metric], measured.value)}: ${why}`];
  });
  return lacks.length === 0 ? 'too many resamples have no value' : lacks.join('; ');
}

function withoutModel(table: SidesTable, arms: readonly string[], of: QuantityOf): string {
  const without = arms.filter((arm) =>
    [...(table.get(arm)?.values() ?? [])].every((one) => modelsOf(one, of).length === 0),
  );
  if (without.length === 0) return 'the two arms have no seed in common';
  const what = of === 'sft' ? 'was not predicted after SFT' : 'has no predictions of what GRPO began with';
  return without.map((arm) => `${arm} ${what}`).join('; ');
}

/** The models that this quantity is of, with words that tell them apart where there are two; empty where one of them is not there. */
function modelsOf({ grpo, start, hasSft }: Sides, of: QuantityOf): [label: string, Side][] {
  if (of === 'grpo') return [['', grpo]];
  if (start === undefined || (of === 'sft' && !hasSft)) return [];
  return of === 'sft'
    ? [['', start]]
    : [
        ['after GRPO ', grpo],
        ['before it ', start],
      ];
}

function sideLacks({ items, measured }: Side, metric: ComparedMetric): string | undefined {
  const one = measured[metric];
  return whyUnmeasured(items, one === undefined ? noEstimate : toEstimate(one));
}
