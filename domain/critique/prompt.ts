/**
 * Prompts: every text that a model is asked with, in versions. A version's text never changes. A better text is a new version,
 * so an artifact's key names what was asked. An instruction replaces one mark in the text. Its angle brackets are neutralised,
 * so it cannot smuggle in a tag or an image.
 */
import type { Pair } from '../manifest.ts';

/** `edited`: the ablation in which neither critic nor teacher sees the source image. */
export const criticPromptVersions = ['compact-v1', 'compact-edited-v1', 'paper-v1', 'paper-edited-v1'] as const;
export type CriticPrompt = (typeof criticPromptVersions)[number];
export const teacherPromptVersions = ['teacher-v1', 'teacher-edited-v1'] as const;
export type TeacherPromptVersion = (typeof teacherPromptVersions)[number];
export type AnswerForm = 'reasoning' | 'direct';

/** Does this prompt go with the edited image only? */
export function isEditedOnly(version: CriticPrompt | TeacherPromptVersion): boolean {
  return version.includes('-edited-');
}

/** Pictures that go with a prompt, in its order: source and edit, or only the edit. */
export function shownImages(
  version: CriticPrompt | TeacherPromptVersion,
  pair: Pick<Pair, 'source_image' | 'edited_image'>,
): string[] {
  return isEditedOnly(version) ? [pair.edited_image] : [pair.source_image, pair.edited_image];
}

const aspects = (given: string) => `

Given ${given}, along with the editing instruction, please evaluate the overall quality of the edited image.
Consider the following aspects:
1. Text alignment: How well does the edit follow the instruction?
2. Fidelity: How well does the edited image preserve the unedited parts of the source image?
3. Quality: What is the perceptual quality of the edited image?

The overall rating should be a float between 1 and 5, with 1 representing very poor quality and 5 representing excellent quality.`;

const paper = (given: string): Record<AnswerForm, string> => ({
  reasoning: ` Edit Instruction: {instruction}${aspects(given)}
Return your final answer as a number rounded to two decimal places. A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>`,
  direct: ` Edit Instruction: {instruction}${aspects(given)}
Return your final rating as a number rounded to two decimal places directly, without any other text.`,
});

/**
 * Texts with the mark `{instruction}`. `paper-v1` is the published wording, as the authors' SFT records have it
 * (Coobiw/LLaMA-Factory-20250504, data/ie4k_cot).
 */
const criticPrompts: Record<CriticPrompt, Record<AnswerForm, string>> = {
  'compact-v1': {
    reasoning: 'Edit: {instruction}\nReason about alignment, fidelity and quality, then give a score from 1 to 5.',
    direct: 'Edit: {instruction}\nGive a score from 1 to 5 only.',
  },
  'compact-edited-v1': {
    reasoning:
      'Edit: {instruction}\nSeeing the edited image alone, reason about alignment, fidelity and quality, then give a score from 1 to 5.',
    direct: 'Edit: {instruction}\nSeeing the edited image alone, give a score from 1 to 5 only.',
  },
  'paper-v1': paper('the source image and the edited image'),
  'paper-edited-v1': paper('the edited image alone'),
};

/** What the critic is asked about one pair, without image marks. */
export function criticPrompt(version: CriticPrompt, form: AnswerForm, instruction: string): string {
  return criticPrompts[version][form].replace('{instruction}', () => neutralised(instruction));
}

/** The four parts of a critique, in the order in which they are asked for and written. */
export interface Critique {
  alignment: string;
  fidelity: string;
  quality: string;
  overall: string;
}

/** `<think>…</think>`, newline, `<answer>MOS</answer>` with two decimals. We attach the answer, not who wrote the critique. A person's is one text. */
export function reasoningAnswer(critique: Critique | string, mos: number): string {
  const parts = typeof critique === 'string' ? [critique] : partsOf(critique);
  const think = parts.map((part) => neutralised(part.trim())).join(' ');
  return `<think>${think}</think>\n<answer>${mos.toFixed(2)}</answer>`;
}

function partsOf({ alignment, fidelity, quality, overall }: Critique): string[] {
  return [alignment, fidelity, quality, overall];
}

/** The bare MOS with two decimals. */
export function directAnswer(mos: number): string {
  return mos.toFixed(2);
}

export interface TeacherPrompt {
  system: string;
  user: string;
}

/** What the teacher is given beside the images: the instruction and people's scores. Its answer may hold no digit. */
export function teacherPrompt(version: TeacherPromptVersion, pair: Pick<Pair, 'instruction' | 'mos'>): TeacherPrompt {
  const { alignment, fidelity, quality, overall } = pair.mos;
  const alone = isEditedOnly(version);
  return {
    system: [
      alone
        ? 'You review edited images. You see an edited image, not its source, and the instruction that was to be followed.'
        : 'You review edited images. You see a source image, an edited image and the instruction that was to be followed.',
      'People rated the edit from 1 (very poor) to 5 (excellent); their mean ratings are given to you as a guide.',
      'Write a critique that describes what you see in the images and that a reader would find consistent with these ratings.',
      'Write four parts in this order: alignment (does the edit follow the instruction), fidelity (is what should stay kept),',
      'quality (how good does the image look), overall (the sum of it).',
      'Never write a digit, never mention that ratings or scores were given, and do not guess at the editing method.',
      'Answer with a JSON object with exactly the keys "alignment", "fidelity", "quality" and "overall", each a string.',
    ].join(' '),
    user: [
      `Instruction: ${JSON.stringify(neutralised(pair.instruction))}`,
      `Ratings: ${JSON.stringify({ alignment, fidelity, quality, overall })}`,
      alone ? 'The image is the edit.' : 'The first image is the source, the second one the edit.',
    ].join('\n'),
  };
}

/** Angle brackets become their look-alikes, so that no text forms a tag; control characters become blanks. */
function neutralised(text: string): string {
  return (
    text
      .replaceAll('<', '‹')
      .replaceAll('>', '›')
      // oxlint-disable-next-line no-control-regex
      .replace(/[\u0000-\u001F\u007F]+/g, ' ')
  );
}
