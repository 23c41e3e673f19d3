/** The digest of a night, from what its run has left. It only reads. */
import type { Night, NightOutcome } from '../../domain/night.ts';
import { digestNotice } from '../../domain/night-digest.ts';
import type { Notice } from '../../domain/notice.ts';
import type { Recipe } from '../../domain/recipe.ts';
import type { StoreDeps } from '../store/deps.ts';

export interface DigestRequest {
  night: Night;
  at: string;
  turn: number;
  run: string;
  recipe: Recipe;
  outcome: NightOutcome;
}

export function createDigestActivities(_deps: StoreDeps) {
  return {
    async digestNight({ night, at, run, outcome }: DigestRequest): Promise<Notice> {
      return digestNotice(night, at, new Date().toISOString(), { run, outcome });
    },
  };
}
