/**
 * Mix: which pairs appear in SFT in which form. The published mix has every pair once reasoned and once direct, shuffled:
 * a cold start that resists reward hacking (arXiv 2511.18055).
 */
import type { AnswerForm } from './prompt.ts';
import { seededRandom, shuffled } from './seeded-random.ts';

export interface MixItem {
  pairId: string;
  form: AnswerForm;
}

/**
 * Order of SFT records. Every pair is there once as reasoning; `directPerReasoning` (≥ 0, 1 = published) times as many
 * records are direct: whole rounds of all pairs, the rest a random choice without repetition. Deterministic from the seed.
 */
export function mixOrder(pairIds: readonly string[], directPerReasoning: number, seed: number): MixItem[] {
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
