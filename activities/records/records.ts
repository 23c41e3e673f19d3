/**
 * Records: what the trainers read. `writePrompts` makes the prompts of every split, `mixRecords` the SFT records in
 * LLaMA-Factory's sharegpt form. Wording and order come from the domain. This gathers, checks and writes.
 *
 * kill -9 before the store's rename leaves a try folder that nobody reads. After it the artifact is there. Idempotent.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { ingredientsUnder } from '../../domain/anew.ts';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import { type MixItem, mixOrder } from '../../domain/critique/mix.ts';
import type { RunPlan } from '../../domain/plan.ts';
import {
  type Critique,
  type CriticPrompt,
  criticPrompt,
  directAnswer,
  reasoningAnswer,
  shownImages,
} from '../../domain/critique/prompt.ts';
import { critiquesFrom, mixShares, sftNeeded } from '../../domain/recipe/arms.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { readRegularText } from '../../files/regular-file.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { readDatasetPairs, readImageSizes } from '../dataset/dataset.ts';
import { splits } from '../dataset/rows.ts';
import { maxTextBytes } from '../dataset/source.ts';
import { refuse, translated } from '../failure.ts';
import { renderMixCard, synthesisCardSchema } from './mix-card.ts';
import { refuseLongPrompts } from './prompt-lengths.ts';
import { lengthStatistics, type PixelLimits, readPixelLimits, RecordLengths } from './record-lengths.ts';
import { cardName, critiqueRowSchema, critiquesName } from '../synthesis/output.ts';
import { tryFolder } from '../store/try-folder.ts';

/** One SFT record. The number of `<image>` marks equals the number of images. */
export interface SharegptRecord {
  messages: [{ role: 'user'; content: string }, { role: 'assistant'; content: string }];
  images: string[];
}

const imageMark = '<image>';

/**
 * The entry that LLaMA-Factory looks up by `dataset: critic_mix`. Its tags are the authors'
 * (Coobiw/LLaMA-Factory-20250504, data/dataset_info.json).
 */
const datasetInfo = {
  critic_mix: {
    file_name: 'train.json',
    formatting: 'sharegpt',
    columns: { messages: 'messages', images: 'images' },
    tags: {
      role_tag: 'role',
      content_tag: 'content',
      user_tag: 'user',
      assistant_tag: 'assistant',
      system_tag: 'system',
    },
  },
};

export function createRecordActivities(deps: { store: ArtifactStore }) {
  const { store } = deps;
  return {
    /**
     * `train.jsonl`, `dev.jsonl`, `test.jsonl` of `{id, prompt, images, mos}`, in the dataset's order. Refuses prompts that are longer than the
     * recipe allows (`DataInvalid`).
     */
    async writePrompts({ plan, dataset }: { plan: RunPlan; dataset: ArtifactRef }): Promise<ArtifactRef> {
      return translated(`write prompts for run "${plan.run}"`, Context.current().cancellationSignal, async () => {
        const { prompt } = plan.recipe;
        const pairs = await readDatasetPairs(dataset);
        await refuseLongPrompts(plan.recipe, dataset, pairs);
        const ingredients = ingredientsUnder(plan, 'prompts', promptsIngredients(plan.recipe, dataset.key));
        const { key, artifact } = await store.find('prompts', ingredients);
        if (artifact !== undefined) return artifact;
        const from = await tryFolder(store, 'prompts', key);
        const counts: Record<string, number> = {};
        for (const split of splits) {
          const rows = pairs.filter((pair) => pair.split === split).map((pair) => promptRow(prompt, pair));
          counts[split] = rows.length;
          await writeFile(join(from, `${split}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
        }
        return store.publish({
          stage: 'prompts',
          key,
          ingredients,
          from,
          counts,
          cost: {},
          run: plan.run,
          attempts: [],
        });
      });
    },

    /** `train.json`, `dataset_info.json` and the dataset card, `README.md`. Refuses records that LLaMA-Factory would truncate (`DataInvalid`). */
    async mixRecords(input: MixInput): Promise<ArtifactRef> {
      const { plan, dataset, synthesis } = input;
      return translated(`mix SFT records for run "${plan.run}"`, Context.current().cancellationSignal, async () => {
        const { cutoff_len: cutoff } = sftNeeded(plan.recipe);
        const limits = await readPixelLimits(plan.recipe);
        const usual = mixIngredients(plan.recipe, dataset.key, synthesis?.key, limits);
        const ingredients = ingredientsUnder(plan, 'mix', usual);
        const { key, artifact } = await store.find('mix', ingredients);
        if (artifact !== undefined) {
          refuseTooLong(artifact.counts['longest_tokens'] ?? 0, cutoff, '');
          return artifact;
        }
        const { records, counts, pairs } = await makeRecords(input, limits, cutoff);
        const from = await tryFolder(store, 'mix', key);
        await writeFile(
          join(from, 'train.json'),
          `[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`,
        );
        await writeFile(join(from, 'dataset_info.json'), `${JSON.stringify(datasetInfo, null, 2)}\n`);
        const taught = synthesis && { card: await readCard(synthesis), key: synthesis.key };
        const text = renderMixCard({ recipe: plan.recipe, pairs, taught, counts, dataset: dataset.key });
        await writeFile(join(from, 'README.md'), text);
        return store.publish({ stage: 'mix', key, ingredients, from, counts, cost: {}, run: plan.run, attempts: [] });
      });
    },
  };
}

/** `synthesis` where a teacher wrote critiques. */
interface MixInput {
  plan: RunPlan;
  dataset: ArtifactRef;
  synthesis?: ArtifactRef;
}

/** Records in the seeded order, and counts. Of a teacher's critiques only pairs with a kept one are used, in both forms; without a teacher all of train. */
async function makeRecords({ plan: { recipe }, dataset, synthesis }: MixInput, limits: PixelLimits, cutoff: number) {
  const pairs = await readDatasetPairs(dataset);
  const byId = new Map(pairs.map((pair) => [pair.id, pair]));
  const train = pairs.filter(({ split }) => split === 'train');
  const critiques = synthesis === undefined ? ownCritiques(recipe, train) : await readCritiques(synthesis);
  const reasoned = [...critiques.keys()];
  const bare = synthesis === undefined ? train.map(({ id }) => id) : reasoned;
  const lengths = new RecordLengths(await readImageSizes(dataset.path), limits);
  const records: SharegptRecord[] = [];
  let longest = { tokens: 0, id: '' };
  const tokens: number[] = [];
  let reasoning = 0;
  for (const item of mixOrder({ reasoned, bare }, mixShares(recipe), recipe.seed)) {
    const record = makeRecord(recipe.prompt, item, byId.get(item.pairId), critiques.get(item.pairId));
    const length = lengths.estimate(record);
    records.push(record);
    tokens.push(length);
    if (item.form === 'reasoning') reasoning += 1;
    if (length > longest.tokens) longest = { tokens: length, id: item.pairId };
    Context.current().heartbeat({ state: 'mixing', done: records.length, unit: 'rows' });
    Context.current().cancellationSignal.throwIfAborted();
  }
  if (records.length === 0) throw noRecords(recipe);
  refuseTooLong(longest.tokens, cutoff, `, pair "${longest.id}"`);
  const { mean, p95 } = lengthStatistics(tokens);
  const forms = { reasoning, direct: records.length - reasoning, records: records.length };
  const counts = { ...forms, longest_tokens: longest.tokens, p95_tokens: p95, mean_tokens: mean };
  return { records, pairs, counts };
}

/** What people wrote of these pairs, by id. Empty where the recipe learns from nobody's words. */
function ownCritiques(recipe: Recipe, pairs: readonly Pair[]): Map<string, string> {
  if (critiquesFrom(recipe) !== 'people') return new Map();
  return new Map(pairs.flatMap(({ id, critique }) => (critique === undefined ? [] : [[id, critique] as const])));
}

/** One record: a mark for each image, the prompt of this form, the answer of this form. */
function makeRecord(
  prompt: CriticPrompt,
  item: MixItem,
  pair: Pair | undefined,
  critique: Critique | string | undefined,
): SharegptRecord {
  if (pair === undefined) {
    throw new Error(`pair "${item.pairId}" is in the synthesis artifact and not in the dataset it was made from`);
  }
  const images = shownImages(prompt, pair);
  const question = imageMark.repeat(images.length) + criticPrompt(prompt, item.form, pair.instruction);
  const mos = pair.mos.overall;
  const answer = item.form === 'reasoning' ? reasonedAnswer(item, critique, mos) : directAnswer(mos);
  const marks = `${question}${answer}`.split(imageMark).length - 1;
  if (marks !== images.length) {
    throw new Error(`record of pair "${pair.id}" has ${marks} ${imageMark} marks, expected ${images.length}`);
  }
  return {
    messages: [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ],
    images,
  };
}

function reasonedAnswer({ pairId }: MixItem, critique: Critique | string | undefined, mos: number): string {
  if (critique === undefined) throw new Error(`pair "${pairId}" is to be reasoned and has no critique`);
  return reasoningAnswer(critique, mos);
}

function promptRow(prompt: CriticPrompt, pair: Pair) {
  return {
    id: pair.id,
    prompt: criticPrompt(prompt, 'reasoning', pair.instruction),
    images: shownImages(prompt, pair),
    mos: pair.mos.overall,
  };
}

/** Kept critiques by pair id, in the dataset's order. */
async function readCritiques(synthesis: ArtifactRef): Promise<Map<string, Critique>> {
  const lines = (await readRegularText(join(synthesis.path, critiquesName), maxTextBytes))
    .split('\n')
    .filter((line) => line !== '');
  const rows = lines.map((line) => critiqueRowSchema.parse(JSON.parse(line)));
  return new Map(rows.map(({ id, critique }) => [id, critique]));
}

async function readCard(synthesis: ArtifactRef) {
  return synthesisCardSchema.parse(JSON.parse(await readRegularText(join(synthesis.path, cardName), maxTextBytes)));
}

/**
 * What determines the mix. `cutoff_len` does not: it only refuses. The pixel limits are in the lengths that it refuses by. `synthesis` is the key of a
 * teacher's critiques. Shares are written as earlier releases did where they can be, so that the keys stay.
 */
export function mixIngredients(
  recipe: Recipe,
  dataset: string,
  synthesis: string | undefined,
  pixels: PixelLimits,
): Record<string, unknown> {
  const { seed, prompt } = recipe;
  const { cot, direct } = mixShares(recipe);
  const mix = cot === 1 ? { direct_per_reasoning: direct } : { cot, direct };
  const critiques = critiquesFrom(recipe) === 'people' ? { critiques: 'human' } : {};
  const taught = synthesis === undefined ? critiques : { synthesis };
  return { dataset, ...taught, prompt: promptIngredients(prompt), mix, pixels, seed };
}

/** What determines the prompts. */
export function promptsIngredients({ prompt }: Recipe, dataset: string): Record<string, unknown> {
  return { dataset, prompt: promptIngredients(prompt) };
}

/** Version and hash of the text: if an edit forgets to raise the version, the key still changes. */
function promptIngredients(version: CriticPrompt): Record<string, string> {
  const texts = [criticPrompt(version, 'reasoning', 'sample'), criticPrompt(version, 'direct', 'sample')];
  return { version, sha256: createHash('sha256').update(texts.join('\0')).digest('hex') };
}

function noRecords({ mix }: Recipe) {
  return refuse(
    'DataInvalid',
    `recipe.mix: expected ratios that leave at least one record to learn from, got ${JSON.stringify(mix)}`,
  );
}

function refuseTooLong(tokens: number, cutoff: number, which: string): void {
  if (tokens <= cutoff) return;
  throw refuse(
    'DataInvalid',
    `recipe.sft.cutoff_len: expected at least ${tokens}, the estimated length of the longest SFT record${which}, got ${cutoff}: ` +
      'LLaMA-Factory would cut such records off, and the answer stands at their end',
  );
}
