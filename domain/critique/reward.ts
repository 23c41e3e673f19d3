/**
 * Reward: agreement with the mean opinion score plus format. Formulas: Coobiw/IE-Critic-R1 @357c239
 * (examples/score_function/ie_critic_r1.py), D = diff_at_rmin = 1.0. The trainer has the same in Python. Both must give what
 * tests/golden/reward.json says.
 */
import { hasFormat, parseAnswer } from './score.ts';

export interface RewardParams {
  shape: 'l1' | 'l2' | 'gaussian' | 'laplace';
  /** Weight of the format reward, ≥ 0. */
  format_weight: number;
  /** r_min in [0, 1]: the least that a readable answer gets. */
  floor: number;
}

export interface Reward {
  /** 0 if unreadable, else in [floor, 1]. */
  accuracy: number;
  /** 0 or 1. */
  format: number;
  overall: number;
}

/**
 * Reward of one answer's whole text against the pair's overall MOS (1 to 5). Never fails: an unreadable answer has accuracy 0
 * and may still have the format (strict_format is false upstream). `overall` is at most 1 + format_weight.
 */
export function reward(text: string, mos: number, params: RewardParams): Reward {
  const answer = parseAnswer(text);
  const accuracy = answer.kind === 'scored' ? accuracyReward(Math.abs(answer.score - mos), params) : 0;
  const format = hasFormat(text) ? 1 : 0;
  return { accuracy, format, overall: accuracy + params.format_weight * format };
}

/** Accuracy at a distance in raw score points, ≥ 0. */
export function accuracyReward(distance: number, { shape, floor }: Pick<RewardParams, 'shape' | 'floor'>): number {
  return Math.max(floor, rawAccuracy(distance, shape, floor));
}

function rawAccuracy(distance: number, shape: RewardParams['shape'], floor: number): number {
  switch (shape) {
    case 'l1':
      return 1 - (1 - floor) * distance;
    case 'l2':
      return 1 - (1 - floor) * distance ** 2;
    case 'gaussian':
      return floor ** (distance ** 2);
    case 'laplace':
      return floor ** distance;
  }
}
