/**
 * Synthesis keys: what determines an answer of the teacher, and what the artifact made from answers. Used by the stage
 * itself and by the estimate, which looks for both before anything is asked.
 */
import { createHash } from 'node:crypto';
import { teacherPrompt, type TeacherPromptVersion } from '../../domain/critique/prompt.ts';
import type { SynthesisSettings } from '../../domain/recipe.ts';

/** Rises when the teacher is sent other pictures: 1, as they are; 2, scaled down to what it sees. */
const imagesVersion = 2;
/** Rises when the filter's rules change what they keep. */
const filterVersion = 2;

export interface TeacherIdentity {
  datasetKey: string;
  /** As `TeacherAccounts` gives it. */
  baseUrl: string;
  settings: SynthesisSettings;
}

/** What determines an answer. Base URL included: a stand-in must never pass for the model whose name it was asked by. */
export function answersIngredients({ datasetKey, baseUrl, settings }: TeacherIdentity): Record<string, unknown> {
  const { model, prompt, detail, temperature, max_tokens } = settings;
  const teacher = { base_url: baseUrl, model, prompt, prompt_sha256: promptHash(prompt) };
  return { dataset: datasetKey, teacher, sampling: { detail, images: imagesVersion, temperature, max_tokens } };
}

/** What determines the artifact: the answers' ingredients and the filter. Effort (tries, yield, money, speed) does not. */
export function synthesisIngredients(identity: TeacherIdentity): Record<string, unknown> {
  return { ...answersIngredients(identity), filter: { ...identity.settings.filter, version: filterVersion } };
}

/** sha256 of the teacher prompt's text, by a fixed pair: an edit that forgot to raise the version changes the key. */
export function promptHash(version: TeacherPromptVersion): string {
  const mos = { overall: 3, alignment: 3, fidelity: 3, quality: 3 };
  const { system, user } = teacherPrompt(version, { instruction: 'sample', mos });
  return createHash('sha256').update(`${system}\0${user}`).digest('hex');
}
