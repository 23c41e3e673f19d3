/**
 * Mix: which pairs appear in SFT in which form. The published mix has every pair once reasoned and once direct, shuffled:
 * a cold start that resists reward hacking (arXiv 2511.18055).
 */
import { InputError } from '../errors.ts';
import type { AnswerForm } from './prompt.ts';
import { seededRandom, shuffled } from '../evaluation/seeded-random.ts';

export interface MixItem {
  pairId: string;
  form: AnswerForm;
}

/**
 * Order of SFT records. Every pair appears once as reasoning. `directPerReasoning` (≥ 0, 1 = published) times as many records
 * are direct: whole rounds of all pairs, and for the rest a random choice without repetition. The seed determines the order.
 * Without pairs there are no records. Throws on a ratio that is not a number ≥ 0.
 */
export function mixOrder(pairIds: readonly string[], directPerReasoning: number, seed: number): MixItem[] {
  if (!Number.isFinite(directPerReasoning) || directPerReasoning < 0) {
    throw new InputError({ field: 'mix.direct_per_reasoning', value: directPerReasoning, expected: 'a number ≥ 0' });
  }
  const random = seededRandom(seed);
  const direct: string[] = [];
  let wanted = Math.round(pairIds.length * directPerReasoning);
  while (wanted > 0) {
    direct.push(...shuffled(pairIds, random).slice(0, wanted));
    wanted -= pairIds.length;
  }
  const items: MixItem[] = [
    ...pairIds.map((pairId): MixItem => ({ pairId, form: 'reasoning' })),
    ...direct.map((pairId): MixItem => ({ pairId, form: 'direct' })),
  ];
  return shuffled(items, random);
}
