/**
 * Agreement of a critic with people on pairs of another origin: the same measures and intervals as a run's evaluation, of one critic, in a thread. Beside it the
 * best constant, which always says these pairs' own mean opinion. Pairs that could not be shown to the critic are left out, and counted elsewhere.
 */
import { constantAnswer, type Evaluation, type JudgedItem, judgeText } from '../../domain/evaluation/evaluation.ts';
import { mean } from '../../domain/evaluation/metrics.ts';
import type { TestPair } from '../../domain/evaluation/resampling.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { offLoop } from '../evaluation/off-loop.ts';
import type { ScoredPair } from './forms.ts';

/** `models.grpo` is the critic, whatever stage made it. */
export async function measureAgreement(rows: readonly ScoredPair[], recipe: Recipe): Promise<Evaluation> {
  const { seed, grpo, predict } = recipe;
  const judged: { critic: JudgedItem[]; constant: JudgedItem[] } = { critic: [], constant: [] };
  const texts: string[] = [];
  const known: { method: string; labels: Partial<Record<'alignment' | 'fidelity' | 'quality', number>> }[] = [];
  const asked = rows.filter(({ answer }) => answer !== null);
  const guess = mean(asked.flatMap(({ pair }) => pair.opinions.mos ?? []));
  for (const { pair, answer, tokens, sampled } of asked) {
    const { mos, ...labels } = pair.opinions;
    if (mos === undefined || answer === null) continue;
    const test: TestPair = { id: String(pair.n), source: pair.source_id ?? pair.source_image ?? pair.id, mos };
    const greedy = judgeText(answer, tokens ?? 0, mos, grpo.reward);
    const drawn = judgeText(sampled?.text ?? '', sampled?.tokens ?? 0, mos, grpo.reward);
    const constant = constantAnswer(guess, mos, grpo.reward);
    judged.critic.push({ ...test, greedy, sampled: drawn });
    judged.constant.push({ ...test, greedy: constant, sampled: constant });
    texts.push(answer);
    known.push({ method: pair.method ?? 'unknown', labels });
  }
  return offLoop('evaluation', {
    judged: { grpo: judged.critic, constant: judged.constant },
    texts: { grpo: texts },
    known,
    reward: grpo.reward,
    sampledTemperature: predict.sampled_temperature,
    seed,
  });
}
