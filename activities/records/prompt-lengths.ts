/**
 * Prompt lengths: the longest prompt with its pictures against the lengths that the recipe allows, as soon as the dataset is known. Estimated as records
 * are (record-lengths.ts). Engines would refuse or cut such rows when they are at work.
 */
import { criticPrompt, shownImages } from '../../domain/critique/prompt.ts';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import { sftOf } from '../../domain/recipe/arms.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { readImageSizes } from '../dataset/dataset.ts';
import { refuse } from '../failure.ts';
import { readPixelLimits, RecordLengths } from './record-lengths.ts';

/** What any answer has at least. */
const shortestAnswer = '<think></think>\n<answer>0.00</answer>';

/** Throws `DataInvalid` that names the field, the length that it must allow at least, and the pair. */
export async function refuseLongPrompts(recipe: Recipe, dataset: ArtifactRef, pairs: readonly Pair[]): Promise<void> {
  const sizes = await readImageSizes(dataset.path);
  const learned = new RecordLengths(sizes, await readPixelLimits(recipe));
  // The base model answers too, and has its own limits of pictures.
  const untouched = { ...recipe, sft: 'none' as const };
  const base = new RecordLengths(sizes, await readPixelLimits(untouched));
  const check = (
    field: string,
    allowed: number | undefined,
    split: Pair['split'],
    lengths: RecordLengths,
    answer = '',
  ) => {
    if (allowed === undefined) return;
    const longest = longestOf(recipe, pairs, split, lengths, answer);
    if (longest.tokens <= allowed) return;
    const what = `the estimated length of the longest prompt with its pictures, pair "${longest.id}" of ${split}`;
    throw refuse('DataInvalid', `recipe.${field}: expected at least ${longest.tokens}, ${what}, got ${allowed}`);
  };
  check('sft.cutoff_len', sftOf(recipe)?.cutoff_len, 'train', learned, shortestAnswer);
  check('grpo.max_prompt_length', recipe.grpo.max_prompt_length, 'train', learned);
  check('grpo.max_prompt_length', recipe.grpo.max_prompt_length, 'dev', learned);
  check('predict.max_prompt_length', recipe.predict.max_prompt_length, 'test', learned);
  check('predict.max_prompt_length', recipe.predict.max_prompt_length, 'test', base);
}

function longestOf(
  { prompt }: Recipe,
  pairs: readonly Pair[],
  split: Pair['split'],
  lengths: RecordLengths,
  answer: string,
): { tokens: number; id: string } {
  let longest = { tokens: 0, id: '' };
  for (const pair of pairs) {
    if (pair.split !== split) continue;
    const question = criticPrompt(prompt, 'reasoning', pair.instruction);
    const messages = [{ content: question }, { content: answer }];
    const tokens = lengths.estimate({ messages, images: shownImages(prompt, pair) });
    if (tokens > longest.tokens) longest = { tokens, id: pair.id };
  }
  return longest;
}
