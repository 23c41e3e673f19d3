/**
 * The recipe: what an operator writes (YAML) and what is checked at the edge with zod. Keys are snake_case, as on disk. Its
 * sections are in `domain/recipe/`. Each field has a one-line description with unit, bounds and default, which the JSON Schema has too.
 * Workflows import the types only. It does not read files and does not resolve paths: that is the CLI's work.
 */
import * as z from 'zod';
import { clusterExpected, isClusterName } from './clusters.ts';
import { criticPromptVersions, isEditedOnly } from './critique/prompt.ts';
import { idleResources, type Misfit } from './engines/engine.ts';
import { llamaFactoryTokenize } from './engines/llamafactory-tokenize.ts';
import { engineOf, engines } from './engines/registry.ts';
import { cut, describeIssue } from './errors.ts';
import { dataset } from './recipe/dataset.ts';
import { name, somePath } from './recipe/fields.ts';
import { gate } from './recipe/gate.ts';
import { grpo } from './recipe/grpo.ts';
import { retries, watch } from './recipe/patience.ts';
import { synthesis } from './recipe/synthesis.ts';
import { mix, predict, sft } from './recipe/training.ts';

export type { DatasetSettings } from './recipe/dataset.ts';
export type { WatchSettings } from './recipe/patience.ts';
export type { Resources } from './recipe/resources.ts';
export type { SynthesisSettings } from './recipe/synthesis.ts';

const recipe = z.strictObject({
  name: name.describe(
    'Name of the recipe; runs are called after it. 1 to 24 of letters, digits, ".", "_", "-"; required.',
  ),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .describe('Seed of everything that is drawn at random. Whole number, 0 to 2147483647; required.'),
  cluster: z
    .string()
    .refine(isClusterName, `expected ${clusterExpected}`)
    .exactOptional()
    .describe(
      'Cluster on which it runs, as its worker is told in CRITIC_CLUSTER. 1 to 24 of letters, digits, ".", "_", "-"; default: the one without a name.',
    ),
  dataset,
  base_model: somePath.describe(
    'Folder with the config.json of the model to start from. A path, relative to the recipe; required.',
  ),
  prompt: z
    .enum(criticPromptVersions)
    .describe(
      `What the critic is asked: ${criticPromptVersions.join(', ')}; edited withholds the source image; required.`,
    ),
  synthesis,
  mix: mix.prefault({}),
  sft,
  grpo,
  predict,
  gate,
  retries: retries.prefault({}),
  watch: watch.prefault({}),
});

export const recipeSchema = recipe.superRefine((given, context) => {
  for (const { path, input, message } of findMisfits(given)) {
    context.addIssue({ code: 'custom', path, message, input });
  }
});

/** What no field shows by itself: values with which a stage would fail later, or pay for nothing. */
function findMisfits(given: z.output<typeof recipe>): Misfit[] {
  const { prompt, synthesis: teacher } = given;
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, where: string, input: unknown, message: string) => {
    if (!holds) misfits.push({ path: where.split('.'), input, message: `expected ${message}` });
  };
  const teacherPrompt = isEditedOnly(prompt) ? 'teacher-edited-v1' : 'teacher-v1';
  expect(
    isEditedOnly(prompt) === isEditedOnly(teacher.prompt),
    'synthesis.prompt',
    teacher.prompt,
    `"${teacherPrompt}", since the critic is asked with "${prompt}": both see the same pictures`,
  );
  const { min_words: min, max_words: max } = teacher.filter;
  expect(min <= max, 'synthesis.filter.min_words', min, `at most max_words, ${max}: no answer could be kept`);
  const { tokens_per_minute: tokens, max_tokens: answer } = teacher;
  const least = `more than max_tokens, ${answer}: no request could be sent`;
  expect(tokens > answer, 'synthesis.tokens_per_minute', tokens, least);
  const ofEngines = {
    sft: engines[engineOf('sft', given.sft)].misfits(given.sft),
    grpo: engines[engineOf('grpo', given.grpo)].misfits(given.grpo),
    predict: engines[engineOf('predict', given.predict)].misfits(given.predict),
  };
  for (const kind of ['sft', 'grpo', 'predict'] as const) {
    const engine = engineOf(kind, given[kind]);
    const idle = idleResources(engine, engines[engine], given[kind].resources);
    misfits.push(...[...ofEngines[kind], ...idle].map((misfit) => ({ ...misfit, path: [kind, ...misfit.path] })));
  }
  return [...misfits, ...tokenizeMisfits(given.sft)];
}

function tokenizeMisfits(given: z.output<typeof sft>): Misfit[] {
  if (given.tokenize === undefined) return [];
  const idle = idleResources('tokenising', llamaFactoryTokenize, given.tokenize.resources);
  return [...llamaFactoryTokenize.misfits(given), ...idle].map((misfit) => {
    return { ...misfit, path: ['sft', 'tokenize', ...misfit.path] };
  });
}

/** A checked recipe, defaults filled in. `dataset.path` and `base_model` are absolute once the CLI has read it. */
export type Recipe = z.output<typeof recipeSchema>;
export type PolicyOverrides = Recipe['retries']['policy'];

/** The recipe that an unknown value is, or its faults, each as `field: message`. */
export function checkRecipe(value: unknown): { recipe: Recipe } | { faults: string[] } {
  const result = recipeSchema.safeParse(value, { reportInput: true });
  if (result.success) return { recipe: result.data };
  return { faults: result.error.issues.flatMap(faultsOf) };
}

/** Keys of earlier releases, by where they stood, and what is written instead. */
const replacedKeys: ReadonlyMap<string, string> = new Map([['gate.tolerance', 'gate.margin']]);

function unknownKey(path: readonly PropertyKey[], key: string): string {
  const place = [...path, key].map(String).join('.');
  const instead = replacedKeys.get(place);
  return instead === undefined ? 'unknown key' : `unknown key: recipe.${instead} has replaced it`;
}

function faultsOf(issue: z.core.$ZodIssue): string[] {
  const field = cut(['recipe', ...issue.path.map((part) => cut(String(part)))].join('.'));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${field}.${cut(key)}: ${unknownKey(issue.path, key)}`);
  return [`${field}: ${describeIssue({ message: issue.message, input: issue.input })}`];
}
