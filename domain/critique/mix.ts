/**
 * Mix: which pairs appear in SFT in which form. The published mix has every pair once reasoned and once direct, shuffled:
 * a cold start that resists reward hacking (arXiv 2511.18055).
 */
import { InputError } from '../errors.ts';
import type { MixShares } from '../recipe/arms.ts';
import type { AnswerForm } from './prompt.ts';
import { seededRandom, shuffled } from '../evaluation/seeded-random.ts';

export interface MixItem {
  pairId: string;
  form: AnswerForm;
}

/** Pairs that may have a record with reasoning, which have a critique, and those that may have one with the bare score. */
export interface MixPairs {
  reasoned: readonly string[];
  bare: readonly string[];
}

/**
 * Order of SFT records. `cot` (0 to 1, 1 = published): the share of the critiqued pairs that appear once as reasoning, drawn at random. `direct`
 * (≥ 0, 1 = published) times as many records as there are pairs for them are bare scores: whole rounds of all those, and for the rest a random choice without
 * repetition. The seed determines the order. Without pairs there are no records. Throws on a share that is not within its bounds.
 */
export function mixOrder({ reasoned, bare }: MixPairs, { cot, direct }: MixShares, seed: number): MixItem[] {
  if (!(cot >= 0 && cot <= 1)) throw new InputError({ field: 'mix.cot', value: cot, expected: 'a number from 0 to 1' });
  if (!Number.isFinite(direct) || direct < 0) {
    throw new InputError({ field: 'mix.direct', value: direct, expected: 'a number ≥ 0' });
  }
  const random = seededRandom(seed);
  const rounds: string[] = [];
  let wanted = Math.round(bare.length * direct);
  while (wanted > 0) {
    rounds.push(...shuffled(bare, random).slice(0, wanted));
    wanted -= bare.length;
  }
  // With all of them nothing is drawn: the published order stays as it was.
  const chosen = cot === 1 ? reasoned : shuffled(reasoned, random).slice(0, Math.round(reasoned.length * cot));
  const items: MixItem[] = [
    ...chosen.map((pairId): MixItem => ({ pairId, form: 'reasoning' })),
    ...rounds.map((pairId): MixItem => ({ pairId, form: 'direct' })),
  ];
  return shuffled(items, random);
}
