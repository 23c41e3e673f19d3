/** `summary.txt`: the table that a terminal shows at the end of a run, and what may be claimed of GRPO. Pure. */
import { grpoClaims, grpoHeadline } from '../../domain/critique/claims.ts';
import { type Evaluation, modelNames, whyNoMainScore } from '../../domain/evaluation/evaluation.ts';
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { lackOf } from '../../domain/evaluation/unmeasured.ts';
import { textTable } from '../../domain/text-table.ts';
import { modelLabels } from './data.ts';

export function renderSummary(evaluation: Evaluation | undefined): string {
  if (evaluation === undefined) return 'Nothing was evaluated.\n';
  const header = ['', 'SRCC', 'PLCC fit', 'MainScore (95 %)', 'reward T=1 (95 %)', 'readable', 'tokens'];
  const rows = modelNames.flatMap((name) => {
    const m = evaluation.models[name];
    if (m === undefined) return [];
    const { srcc, plcc_fit: fit, main_score: main, reward_sampled: reward, readable, tokens_greedy: tokens } = m;
    const numbers = [short(srcc), short(fit), long(main), long(reward)];
    return [[modelLabels[name], ...numbers, percent(readable), short(tokens, 1)]];
  });
  const { unit, units } = evaluation.resampling;
  const drawn = unit === 'source' ? `${units} source images` : `${units} pairs`;
  const base = `${evaluation.pairs} test pairs; intervals by bootstrap over ${drawn}; reward of ${rewardName(evaluation)}.`;
  const claims = grpoClaims(evaluation).map((claim) => `  ${claim.sentence}`);
  const about = claims.length === 0 ? [] : ['  (GRPO − SFT on the same pairs, 95 % intervals)'];
  const without = modelNames.flatMap((name) => {
    const why =
      name === 'constant' || evaluation.models[name] === undefined ? undefined : whyNoMainScore(evaluation, name);
    return why === undefined
      ? []
      : [`${modelLabels[name]} has ${lackOf('MainScore', evaluation.models[name]?.main_score?.value)}: ${why}.`];
  });
  return `${[...textTable([header, ...rows]), ...without, base, '', grpoHeadline(evaluation), ...claims, ...about].join('\n')}\n`;
}

/** What the reward's numbers mean, e.g. `l1 accuracy + 1 · format`. */
export function rewardName({ reward }: Evaluation): string {
  return `${reward.shape} accuracy + ${reward.format_weight} · format`;
}

export function short(estimate: Estimate | undefined, digits = 3): string {
  const value = estimate?.value ?? null;
  return value === null ? '–' : rounded(value, digits);
}

function long(estimate: Estimate | undefined): string {
  const interval = estimate?.interval ?? null;
  return interval === null ? short(estimate) : `${short(estimate)} [${rounded(interval[0])}, ${rounded(interval[1])}]`;
}

export function percent(estimate: Estimate | undefined): string {
  const value = estimate?.value ?? null;
  return value === null ? '–' : `${(100 * value).toFixed(1).replace(/\.0$/, '')} %`;
}

/** Rounded, without a minus before zero, and with a real minus sign. */
export function rounded(value: number, digits = 3): string {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace('-', '') : text).replace('-', '−');
}
