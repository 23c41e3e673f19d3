/**
 * Critics that are drawn, not trained: what each says of a pair is the opinion, bent and blurred. Errors have three parts: of the pair (all critics
 * share it, since all see the same picture), of its source (all critics, too), and of the critic. So paired differences are as sharp as they are for critics of one recipe.
 */
import type { JudgedItem } from '../domain/evaluation/evaluation.ts';
import { type Agreement, agreement } from '../domain/evaluation/metrics.ts';
import type { Random } from '../domain/evaluation/seeded-random.ts';

/** Standard normal, by Box and Muller (1958). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** One pair as every critic meets it. */
export interface Case {
  id: string;
  source: string;
  mos: number;
  /** The error that all critics make on it, in score points. */
  shared: number;
}

export function drawCases(count: number, sources: number, random: Random): Case[] {
  const ofSource = Array.from({ length: sources }, () => 0.3 * normal(random));
  return Array.from({ length: count }, (_, index) => {
    const source = index % sources;
    const mos = Math.round((1 + 4 * random()) * 100) / 100;
    return { id: String(index), source: String(source), mos, shared: (ofSource[source] ?? 0) + 0.5 * normal(random) };
  });
}

/** Answers of a critic whose own error has this standard deviation, in score points. */
export function answers(cases: readonly Case[], blur: number, random: Random): JudgedItem[] {
  return cases.map(({ id, source, mos, shared }) => {
    const said = Math.min(5, Math.max(1, mos + shared + blur * normal(random)));
    const answer = { score: Math.round(said * 100) / 100, accuracy: 0, format: 1, overall: 0, tokens: 0 };
    return { id, source, mos, greedy: answer, sampled: answer };
  });
}

/** Agreement on so many other pairs that chance hardly counts (± 0.002 in MainScore). */
export function trueAgreement(blur: number, random: Random): Agreement {
  const items = answers(drawCases(20_000, 5_000, random), blur, random);
  return agreement(items.map(({ greedy, mos }) => ({ predicted: greedy.score ?? 0, mos })));
}
