/** `summary.txt` of an experiment: a table of its arms, then each sentence with what the intervals say of it. Pure. */
import { measuredWords, plainInterval, signedInterval, verdictWords } from '../../domain/experiment/words.ts';
import { textTable } from '../../domain/text-table.ts';
import type { ExperimentReport, MemberReport } from './data.ts';

export function summarize(report: ExperimentReport): string {
  const { experiment, measures, members } = report;
  const { baseline } = experiment;
  const rows = measures.arms.map(({ arm, own, versus }) => {
    const cost = spentBy(members.filter((one) => one.arm === arm));
    return [
      arm,
      plainInterval(own.grpo?.main_score, 3),
      arm === baseline ? 'baseline' : signedInterval(versus.grpo?.main_score, 3),
      own.grpo?.tokens_sampled?.value?.toFixed(1) ?? '–',
      cost,
    ];
  });
  const table = textTable([['arm', 'MainScore [95 %]', `− ${baseline} (95 %)`, 'tokens', 'GPU-h'], ...rows]);
  const told = measures.directions.map(
    (one) =>
      `  ${verdictWords[one.verdict]}: ${one.says}\n    ${measuredWords(one)}${one.why === undefined ? '' : `\n    ${one.why}`}`,
  );
  const lacks = measures.arms.flatMap(({ arm, unmeasured }) =>
    unmeasured === undefined ? [] : [`${arm} has ${unmeasured}.`],
  );
  const missing = members
    .filter((one) => one.missing !== undefined)
    .map(({ arm, seed, missing: why = '', sentence }) => `  ${arm}, seed ${seed}: ${sentence ?? why}`);
  return [
    experiment.question,
    '',
    ...table,
    ...lacks,
    basis(report),
    ...(told.length === 0 ? [] : ['', 'What the file of the experiment says, and what these intervals show:', ...told]),
    ...(missing.length === 0 ? [] : ['', 'Without numbers:', ...missing]),
    '',
  ].join('\n');
}

/** What the intervals are made of, and what they do not tell. */
export function basis({ experiment: { seeds }, measures: { pairs, resampling } }: ExperimentReport): string {
  const drawn = resampling.unit === 'source' ? `${resampling.units} source images` : `${resampling.units} pairs`;
  const test = `${pairs} test pairs that all runs have; resamples of ${drawn}, the same for all arms`;
  return seeds.length === 1
    ? `${test}. One seed: how much another seed would change is not in the intervals.`
    : `${test}; ${seeds.length} seeds, whose spread is in the intervals.`;
}

/** GPU-hours for what these runs made themselves. */
function spentBy(members: readonly MemberReport[]): string {
  const costs = members.flatMap(({ cost }) => cost ?? []);
  return costs.length === 0 ? '–' : costs.reduce((sum, { own }) => sum + own.gpuHours, 0).toFixed(3);
}
