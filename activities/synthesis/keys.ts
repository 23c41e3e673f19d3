/**
 * Synthesis keys: what determines an answer of the teacher, and what determines the artifact that is made from answers. The stage uses
 * them, and so does the estimate, which looks for both before anything is asked.
 */
import { createHash } from 'node:crypto';
import { teacherPrompt, type TeacherPromptVersion } from '../../domain/critique/prompt.ts';
import type { SynthesisSettings } from '../../domain/recipe.ts';

/** Rises when the teacher is sent other pictures. 1: as they are. 2: scaled down to what it sees. */
const imagesVersion = 2;
/** Rises when a change of the filter's rules changes what is kept. */
const filterVersion = 2;

export interface TeacherIdentity {
  datasetKey: string;
  /** As `TeacherAccounts` has it. */
  baseUrl: string;
  settings: SynthesisSettings;
}

/** What determines an answer. The base URL is part of it: a stand-in must never count as the model whose name it is called by. */
export function answersIngredients({ datasetKey, baseUrl, settings }: TeacherIdentity): Record<string, unknown> {
  const { model, prompt, detail, temperature, max_tokens } = settings;
  const teacher = { base_url: baseUrl, model, prompt, prompt_sha256: promptHash(prompt) };
  return { dataset: datasetKey, teacher, sampling: { detail, images: imagesVersion, temperature, max_tokens } };
}

/** What determines the artifact: the answers' ingredients and the filter. Tries, yield, money and speed do not. */
export function synthesisIngredients(identity: TeacherIdentity): Record<string, unknown> {
  return { ...answersIngredients(identity), filter: { ...identity.settings.filter, version: filterVersion } };
}

/** sha256 of the teacher prompt's text for a fixed pair: if an edit forgets to raise the version, the key still changes. */
export function promptHash(version: TeacherPromptVersion): string {
  const mos = { overall: 3, alignment: 3, fidelity: 3, quality: 3 };
  const { system, user } = teacherPrompt(version, { instruction: 'sample', mos });
  return createHash('sha256').update(`${system}\0${user}`).digest('hex');
}
