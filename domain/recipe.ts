/**
 * The recipe: what an operator writes (YAML) and what is checked at the edge with zod. Keys are snake_case, as on disk. Its
 * sections are in `domain/recipe/`. Each field has a one-line description with unit, bounds and default, which the JSON Schema has too.
 * Workflows import the types only. It does not read files and does not resolve paths: that is the CLI's work.
 */
import * as z from 'zod';
import { clusterExpected, isClusterName } from './clusters.ts';
import { type CriticPrompt, criticPromptVersions, isEditedOnly, type TeacherPromptVersion } from './critique/prompt.ts';
import { idleResources, type Misfit } from './engines/engine.ts';
import { llamaFactoryTokenize } from './engines/llamafactory-tokenize.ts';
import { engineOf, engines } from './engines/registry.ts';
import { cut, describeIssue, shown } from './errors.ts';
import { mixShares } from './recipe/arms.ts';
import { dataset } from './recipe/dataset.ts';
import { name, somePath } from './recipe/fields.ts';
import { gate } from './recipe/gate.ts';
import { grpo } from './recipe/grpo.ts';
import { retries, watch } from './recipe/patience.ts';
import { type SynthesisSettings, synthesis, type untaught } from './recipe/synthesis.ts';
import type { Resources } from './recipe/resources.ts';
import { mix, predict, sft, type SftSettings } from './recipe/training.ts';

export type { DatasetSettings } from './recipe/dataset.ts';
export type { WatchSettings } from './recipe/patience.ts';
export type { Resources } from './recipe/resources.ts';
export type { SynthesisSettings } from './recipe/synthesis.ts';
export type { SftSettings } from './recipe/training.ts';

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
      'Cluster on which it runs, as its worker is told in CRITIC_CLUSTER. 1 to 24 of letters, digits, ".", "_", "-"; optional, else the one without a name.',
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

type Given = z.output<typeof recipe>;

export const recipeSchema = recipe
  .superRefine((given, context) => {
    for (const { path, input, message } of findMisfits(given)) {
      context.addIssue({ code: 'custom', path, message, input });
    }
  })
  .transform((given) => ({ ...given, synthesis: whole(given) }));

/** What the recipe leaves to the critic's prompt: critic and teacher see the same pictures. */
function whole({
  prompt,
  synthesis: given,
}: Pick<Given, 'prompt' | 'synthesis'>): (typeof untaught)[number] | SynthesisSettings {
  return typeof given === 'string' ? given : { ...given, prompt: given.prompt ?? teacherPromptFor(prompt) };
}

function teacherPromptFor(prompt: CriticPrompt): TeacherPromptVersion {
  return isEditedOnly(prompt) ? 'teacher-edited-v1' : 'teacher-v1';
}

/** What no field shows by itself: values with which a stage would fail later, or pay for nothing. */
function findMisfits(given: Given): Misfit[] {
  const { sft: learned, grpo: reinforced, predict: answered } = given;
  return [
    ...(typeof given.synthesis === 'object' ? teacherMisfits(given.prompt, given.synthesis) : []),
    ...mixMisfits({ ...given, synthesis: whole(given) }),
    ...(learned === 'none' ? [] : sftMisfits(learned)),
    ...jobMisfits('grpo', given, engines[engineOf('grpo', reinforced)].misfits(reinforced)),
    ...jobMisfits('predict', given, engines[engineOf('predict', answered)].misfits(answered)),
    ...(learned === 'none' ? [] : tokenizeMisfits(learned)),
  ];
}

function teacherMisfits(prompt: CriticPrompt, teacher: Exclude<Given['synthesis'], string>): Misfit[] {
  const misfits: Misfit[] = [];
  const expect = (holds: boolean, where: string, input: unknown, message: string) => {
    if (!holds) misfits.push({ path: ['synthesis', ...where.split('.')], input, message: `expected ${message}` });
  };
  expect(
    teacher.prompt === undefined || isEditedOnly(prompt) === isEditedOnly(teacher.prompt),
    'prompt',
    teacher.prompt,
    `"${teacherPromptFor(prompt)}", since the critic is asked with "${prompt}": both see the same pictures`,
  );
  const { min_words: min, max_words: max } = teacher.filter;
  expect(min <= max, 'filter.min_words', min, `at most max_words, ${max}: no answer could be kept`);
  const { tokens_per_minute: tokens, max_tokens: answer } = teacher;
  expect(tokens > answer, 'tokens_per_minute', tokens, `more than max_tokens, ${answer}: no request could be sent`);
  return misfits;
}

/** Ratios of the mix that contradict each other, or with which SFT has nothing to learn. */
function mixMisfits(given: Given & Pick<Recipe, 'synthesis'>): Misfit[] {
  const { mix: ratios, synthesis: taught, sft: learned } = given;
  const at = (field: string, input: unknown, message: string) => [{ path: ['mix', field], input, message }];
  if (ratios.direct !== undefined && ratios.direct_per_reasoning !== undefined) {
    const message = 'expected no such key beside direct, which says the same';
    return at('direct_per_reasoning', ratios.direct_per_reasoning, message);
  }
  if (taught === 'none' && (ratios.cot ?? 0) > 0) {
    return at('cot', ratios.cot, 'expected 0, since synthesis is none: there is no critique to learn from');
  }
  const { cot, direct } = mixShares(given);
  if (learned === 'none' || cot + direct > 0) return [];
  return at('direct', ratios.direct, 'expected above 0, since cot is 0: SFT would learn from no record');
}

function sftMisfits(learned: SftSettings): Misfit[] {
  const engine = engineOf('sft', learned);
  return jobMisfits('sft', { sft: learned }, engines[engine].misfits(learned));
}

/** What the engine says of its section, and the resources that it leaves idle. */
function jobMisfits<Kind extends 'sft' | 'grpo' | 'predict'>(
  kind: Kind,
  sections: { readonly [One in Kind]: Parameters<typeof engineOf<Kind>>[1] & { resources: Resources } },
  ofEngine: readonly Misfit[],
): Misfit[] {
  const engine = engineOf(kind, sections[kind]);
  const idle = idleResources(engine, engines[engine], sections[kind].resources);
  return [...ofEngine, ...idle].map((misfit) => ({ ...misfit, path: [kind, ...misfit.path] }));
}

function tokenizeMisfits(given: SftSettings): Misfit[] {
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
  if (issue.code === 'invalid_union') return unionFaults(issue, field);
  return [`${field}: ${describeIssue({ message: issue.message, input: issue.input })}`];
}

/** A section that may also be a word, such as `sft: none`. Of a mapping its own faults are told. */
function unionFaults({ input, message, errors, path }: z.core.$ZodIssueInvalidUnion, field: string): string[] {
  const words = errors
    .flat()
    .flatMap((one) => (one.code === 'invalid_value' && one.path.length === 0 ? one.values : []));
  if (words.length === 0) return [`${field}: ${describeIssue({ message, input })}`];
  const isMapping = typeof input === 'object' && input !== null && !Array.isArray(input);
  const own = errors.filter((issues) => issues.every((one) => one.code !== 'invalid_value' || one.path.length > 0));
  if (isMapping) return own.flat().flatMap((one) => faultsOf({ ...one, path: [...path, ...one.path] }));
  return [`${field}: expected ${words.map(String).join(', ')} or a mapping, got ${shown(input)}`];
}
