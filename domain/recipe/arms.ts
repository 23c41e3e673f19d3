/**
 * Arms: the parts of the pipeline that a recipe leaves out or weighs. Without SFT there is nothing to learn from critiques, so no teacher is asked. The stage
 * graph, keys and stages take from here what SFT learns from.
 */
import type { SynthesisSettings } from './synthesis.ts';
import type { SftSettings } from './training.ts';

/** Records for each pair: with reasoning (0 to 1), and with the bare score (0 to 10). */
export interface MixShares {
  cot: number;
  direct: number;
}

/** A recipe, as far as arms go. */
interface Arm {
  sft: 'none' | SftSettings;
  synthesis: 'none' | 'human' | SynthesisSettings;
  mix: { cot?: number | undefined; direct?: number | undefined; direct_per_reasoning?: number | undefined };
}

/** The settings of SFT; undefined: GRPO begins from the base model. */
export function sftOf({ sft }: Pick<Arm, 'sft'>): SftSettings | undefined {
  return sft === 'none' ? undefined : sft;
}

/** Settings of a stage that is in the graph only where the recipe has SFT. Throws without it: a bug. */
export function sftNeeded(recipe: Pick<Arm, 'sft'>): SftSettings {
  const sft = sftOf(recipe);
  if (sft === undefined) throw new Error('a stage of SFT in a run without SFT');
  return sft;
}

/** What SFT learns from. Without a critique there is no reasoning to learn. */
export function mixShares({ mix, synthesis }: Pick<Arm, 'mix' | 'synthesis'>): MixShares {
  const ratio = mix.direct_per_reasoning ?? 1;
  if (synthesis === 'none') return { cot: mix.cot ?? 0, direct: mix.direct ?? ratio };
  const cot = mix.cot ?? 1;
  return { cot, direct: mix.direct ?? cot * ratio };
}

/** Where critiques come from: the teacher, people (the dataset's own), or nobody, since nothing learns from them. */
export function critiquesFrom(recipe: Arm): 'teacher' | 'people' | 'nobody' {
  if (recipe.sft === 'none' || recipe.synthesis === 'none' || mixShares(recipe).cot === 0) return 'nobody';
  return recipe.synthesis === 'human' ? 'people' : 'teacher';
}

/** The teacher's settings, if a run of this recipe asks it. */
export function teacherOf(recipe: Arm): SynthesisSettings | undefined {
  const { synthesis } = recipe;
  return critiquesFrom(recipe) === 'teacher' && typeof synthesis === 'object' ? synthesis : undefined;
}

/** Settings of a stage that is in the graph only where a teacher is asked. Throws without one: a bug. */
export function teacherNeeded(recipe: Arm): SynthesisSettings {
  const teacher = teacherOf(recipe);
  if (teacher === undefined) throw new Error('a stage of synthesis in a run without a teacher');
  return teacher;
}

/** The cap of what the teacher may cost, as a run's memo has it: `workers/run-observer.ts` warns near it. Nothing where no teacher is asked. */
export function budgetMemo(recipe: Arm): { budgetUsd?: number } {
  const teacher = teacherOf(recipe);
  return teacher === undefined ? {} : { budgetUsd: teacher.budget_usd };
}
