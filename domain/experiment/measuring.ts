/**
 * Measuring an experiment: each arm's critics on the pairs that all of them have, with the same resamples, and paired differences against the baseline.
 * Pure, and slow: some seconds for each run. Yields what comes next.
 */
import { type JudgedItem, measure, type MeasuredMetrics } from '../evaluation/evaluation.ts';
import { drawsOf, type Measured, resamplingOf, type Resampling, subtract } from '../evaluation/resampling.ts';
import type { Weights } from '../evaluation/scored-pairs.ts';
import { lackOf } from '../evaluation/unmeasured.ts';
import { comparedMetrics, type ComparedMetric, type Direction, quantityOfs, type QuantityOf } from './experiment.ts';
import { pool, type Pooled } from './pooling.ts';
import { type Sides, whyArmLacks, whyNotJudged } from './unmeasured.ts';

/** The judged answers of one run. */
export interface MemberItems {
  arm: string;
  seed: number;
  grpo: JudgedItem[];
  /** Of the model that GRPO began with: after SFT, else the base. Empty if it was not predicted. */
  start: JudgedItem[];
  /** Is that one after SFT? */
  hasSft: boolean;
}

export type PooledMetrics = Partial<Record<ComparedMetric, Pooled>>;
export type Quantities = Partial<Record<QuantityOf, PooledMetrics>>;

export interface ArmMeasures {
  arm: string;
  /** Seeds whose run was measured. */
  seeds: number[];
  own: Quantities;
  /** Arm − baseline, of the seeds that both have. Empty for the baseline itself. */
  versus: Quantities;
  /** Whether MainScore after GRPO lacks its value or its interval, and why. Absent where it has both. */
  unmeasured?: string;
}

export const directionVerdicts = ['shown', 'opposite', 'open', 'missing'] as const;
/** `opposite`: the whole interval is on the other side. `open`: it holds zero, or is undefined. `missing`: an arm has no measured run. */
export type DirectionVerdict = (typeof directionVerdicts)[number];

export interface JudgedDirection extends Direction {
  verdict: DirectionVerdict;
  /** The number of which the sign decides; null if it is missing. */
  measured: Pooled | null;
  /** Why that number is not there or has no interval. Absent where it has one. */
  why?: string;
}

export interface ExperimentMeasures {
  /** Test pairs that all measured runs have. */
  pairs: number;
  resampling: Resampling;
  arms: ArmMeasures[];
  directions: JudgedDirection[];
}

export interface MeasuringWork {
  members: MemberItems[];
  /** Names of all arms, in their order. */
  arms: string[];
  baseline: string;
  directions: Direction[];
  seed: number;
}

/** What was measured of one run, and from what. */
interface Run extends Sides {
  kinds: Partial<Record<QuantityOf, MeasuredMetrics>>;
}
/** By arm, then by seed. */
type Table = Map<string, Map<number, Run>>;

export function* measureExperiment(work: MeasuringWork): Generator<string, ExperimentMeasures> {
  const { members, baseline } = work;
  const ids = commonPairs(members);
  const first = inCommon(members[0]?.grpo ?? [], ids);
  const resampling = resamplingOf(first, work.seed);
  const draws = first.length === 0 ? [] : drawsOf(first, resampling);
  const table: Table = new Map();
  for (const member of members) {
    yield `${member.arm}, seed ${member.seed}`;
    const seeds = table.get(member.arm) ?? new Map<number, Run>();
    seeds.set(member.seed, yield* measureRun(member, ids, draws));
    table.set(member.arm, seeds);
  }
  const poolOf = (of: QuantityOf, metric: ComparedMetric, arm: string, than?: string) =>
    poolQuantity(table, resampling.units, { of, metric, arm, ...(than === undefined ? {} : { than }) });
  const quantities = (arm: string, than?: string): Quantities =>
    Object.fromEntries(
      quantityOfs.map((of) => [
        of,
        Object.fromEntries(
          comparedMetrics.flatMap((metric) => {
            const found = poolOf(of, metric, arm, than);
            return found === null ? [] : [[metric, found]];
          }),
        ),
      ]),
    );
  return {
    pairs: first.length,
    resampling,
    arms: work.arms.map((arm) => {
      const own = quantities(arm);
      const why = whyArmLacks(table, arm, 'grpo', 'main_score');
      return {
        arm,
        seeds: [...(table.get(arm)?.keys() ?? [])],
        own,
        versus: arm === baseline ? {} : quantities(arm, baseline),
        ...(why === undefined ? {} : { unmeasured: `${lackOf('MainScore', own.grpo?.main_score?.value)}: ${why}` }),
      };
    }),
    directions: work.directions.map((direction) => judgeDirection(table, resampling.units, direction)),
  };
}

/** What the interval says of a sentence. */
function judgeDirection(table: Table, units: number, direction: Direction): JudgedDirection {
  const measured = poolQuantity(table, units, direction);
  const why = whyNotJudged(table, direction, measured);
  return { ...direction, verdict: verdictOf(measured, direction.is), measured, ...(why === undefined ? {} : { why }) };
}

/** Rounding leaves a trace where numbers are equal. */
const nothing = 1e-9;

export function verdictOf(measured: Pooled | null, is: Direction['is']): DirectionVerdict {
  if (measured === null) return 'missing';
  const { interval } = measured;
  if (interval === null || (interval[0] <= nothing && interval[1] >= -nothing)) return 'open';
  return interval[0] > 0 === (is === 'higher') ? 'shown' : 'opposite';
}

/** Null if there is no run of it. Two arms are compared seed by seed. */
function poolQuantity(
  table: Table,
  units: number,
  { of, metric, arm, than }: Pick<Direction, 'of' | 'metric' | 'arm' | 'than'>,
): Pooled | null {
  const found: Measured[] = [];
  for (const [seed, { kinds }] of table.get(arm) ?? []) {
    const ours = kinds[of]?.[metric];
    const theirs = than === undefined ? undefined : table.get(than)?.get(seed)?.kinds[of]?.[metric];
    if (ours === undefined || (than !== undefined && theirs === undefined)) continue;
    found.push(theirs === undefined ? ours : subtract(ours, theirs));
  }
  return found.length === 0 ? null : pool(found, units);
}

function* measureRun(
  { grpo, start, hasSft }: MemberItems,
  ids: ReadonlyMap<string, number>,
  draws: readonly Weights[],
): Generator<string, Run> {
  const [after, before] = [inCommon(grpo, ids), inCommon(start, ids)];
  const own = yield* measure(after, draws);
  const run: Run = { grpo: { items: after, measured: own }, hasSft, kinds: { grpo: own } };
  if (before.length < ids.size || ids.size === 0) return run;
  const began = yield* measure(before, draws);
  run.start = { items: before, measured: began };
  if (hasSft) run.kinds.sft = began;
  run.kinds.gain = gainOf(own, began);
  return run;
}

function gainOf(after: MeasuredMetrics, before: MeasuredMetrics): MeasuredMetrics {
  const gain: MeasuredMetrics = {};
  for (const metric of comparedMetrics) {
    const [later, earlier] = [after[metric], before[metric]];
    if (later !== undefined && earlier !== undefined) gain[metric] = subtract(later, earlier);
  }
  return gain;
}

/** Ids of the pairs that every run has, with their MOS. A pair with another MOS is another pair. */
function commonPairs(members: readonly MemberItems[]): ReadonlyMap<string, number> {
  const [first, ...others] = members.map(({ grpo }) => new Map(grpo.map(({ id, mos }) => [id, mos])));
  return new Map([...(first ?? [])].filter(([id, mos]) => others.every((other) => other.get(id) === mos)));
}

/** Items of these pairs, in the order of `ids`. */
function inCommon(items: readonly JudgedItem[], ids: ReadonlyMap<string, number>): JudgedItem[] {
  const byId = new Map(items.map((item) => [item.id, item]));
  return [...ids.keys()].flatMap((id) => byId.get(id) ?? []);
}
