/**
 * Dataset: checks the operator's folder, reports all its faults at once, and copies it into the store by content. The copy is always in our
 * own form: `pairs.jsonl`, `images/`, and `images.json` with their sizes. Images are copied and never linked: jobs run as another user and
 * must read them, and what a run trained on must not change when somebody edits a file in place.
 *
 * kill -9 at any point before the store's rename leaves a `try-…` folder below `partial/`, which is removed after a day. After it the artifact is there. Idempotent.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ApplicationFailure, Context } from '@temporalio/activity';
import * as z from 'zod';
import { cut, describeFaults } from '../../domain/errors.ts';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { critiquesFrom } from '../../domain/recipe/arms.ts';
import type { StageProgress } from '../../domain/jobs/progress.ts';
import { readRegularText } from '../../files/regular-file.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { type ImageSizes, type InspectedDataset, inspectDataset, listingHash, sha256 } from './inspection.ts';
import { pairsName, readPairs, splits } from './rows.ts';
import { maxTextBytes } from './source.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import { type ClusterDeps, requireOwnCluster } from '../cluster-check.ts';
import { passing, refuse, translated } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { tryFolder } from '../store/try-folder.ts';

const sizesName = 'images.json';
const shownFaults = 20;
/** Rises when an artifact of the same content gets other files, or more is checked: from 3 on, all its images decode. */
const layout = 3;

export function createDatasetActivities(deps: { store: ArtifactStore } & ClusterDeps) {
  const { store } = deps;
  return {
    /** Checks the recipe's dataset and publishes it. Throws a non-retryable `DataInvalid` that lists its faults, or
     *  `RecipeInvalid` for a run on another cluster than its recipe names. */
    async checkDataset({ plan }: { plan: RunPlan }): Promise<ArtifactRef> {
      requireOwnCluster(deps, plan);
      const started = Date.now();
      const { dataset } = plan.recipe;
      const signal = Context.current().cancellationSignal;
      const work = async (report: (progress: StageProgress) => void) => {
        const inspected = await inspectDataset(dataset, await decodedBefore(store), report);
        const faults = 'faults' in inspected ? inspected.faults : findRecipeFaults(plan, inspected);
        if ('faults' in inspected || faults.length > 0) throw await refusal(store, plan, faults);
        const ingredients = datasetIngredients(inspected);
        report({ state: 'verifying' });
        const found = await store.find('dataset', ingredients);
        signal.throwIfAborted();
        if (found.artifact !== undefined) return found.artifact;
        const from = await copyContents(dataset.path, inspected, await tryFolder(store, 'dataset', found.key), report);
        signal.throwIfAborted();
        report({ state: 'publishing' });
        return store.publish({
          stage: 'dataset',
          key: found.key,
          ingredients,
          from,
          counts: counts(inspected),
          cost: { seconds: (Date.now() - started) / 1000 },
          run: plan.run,
          attempts: [],
        });
      };
      return translated(`read dataset "${cut(dataset.path)}"`, signal, () => heartbeating('checking', work));
    },
  };
}

/** What the recipe needs and this dataset does not have, as far as that shows before anything is paid for. */
function findRecipeFaults({ recipe }: RunPlan, inspected: InspectedDataset): string[] {
  const { prompts_per_step: prompts, validate_steps: validate = 0 } = recipe.grpo;
  const { train = 0, dev = 0, critiqued = 0 } = counts(inspected);
  const faults: string[] = [];
  if (critiquesFrom(recipe) === 'people' && critiqued === 0)
    faults.push(
      `recipe.synthesis: expected rows of split "train" with a "critique", of which human learns, got none of ${train}`,
    );
  // TRL draws a step's prompts without repetition, and drops a step that is not full. The others take whole steps of a pass, too.
  if (train < prompts)
    faults.push(`recipe.grpo.prompts_per_step: expected at most ${train}, the rows of split "train", got ${prompts}`);
  if (validate > 0 && dev === 0)
    faults.push(
      `recipe.grpo.validate_steps: expected 0 where the dataset has no split "dev" (dataset.dev_fraction carves one), got ${validate}`,
    );
  return faults;
}

/** What determines the artifact: its content. The form that it came in and its place do not. */
function datasetIngredients(inspected: InspectedDataset): Record<string, unknown> {
  return { content: listingHash(inspected.contents), layout };
}

/** Sums of the images of all datasets in the store. So each content is decoded once and not once for each run. */
async function decodedBefore(store: ArtifactStore): Promise<Set<string>> {
  const sums = new Set<string>();
  for (const key of await store.keys('dataset')) {
    const manifest = await store.peek('dataset', key);
    if (manifest?.ingredients['layout'] !== layout) continue;
    for (const { path, sha256: sum } of manifest.files) if (path.startsWith('images/')) sums.add(sum);
  }
  return sums;
}

/** Pairs of a published dataset. They were checked before they were published. A fault now means that somebody changed the store. */
export async function readDatasetPairs(dataset: ArtifactRef): Promise<Pair[]> {
  const { pairs, faults } = await readPairs(await readRegularText(join(dataset.path, pairsName), maxTextBytes));
  if (faults.length > 0) throw new Error(`dataset artifact ${dataset.key} is damaged: ${faults[0] ?? ''}`);
  return pairs.map(({ pair }) => pair);
}

/** Sizes of a published dataset's images. Nobody must read the images for that. */
export async function readImageSizes(datasetPath: string): Promise<ImageSizes> {
  const side = z.int().positive();
  const schema = z.record(z.string(), z.tuple([side, side]));
  return schema.parse(JSON.parse(await readRegularText(join(datasetPath, sizesName), maxTextBytes)));
}

/** The failure that names the first faults, and the file with all of them if there are more. */
export async function refusal(
  store: ArtifactStore,
  { run, recipe }: RunPlan,
  faults: readonly string[],
): Promise<ApplicationFailure> {
  const message = describeFaults(`dataset "${cut(recipe.dataset.path)}" cannot be used`, faults, shownFaults);
  if (faults.length <= shownFaults) return dataInvalid(message);
  const path = join(paths.run(store.root, run), 'dataset-faults.txt');
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${faults.join('\n')}\n`);
  return dataInvalid(`${message}\n  all of them: ${path}`);
}

/** Copies everything into the folder `to` and returns it. A file that has changed since its check is refused, and all is checked again. */
async function copyContents(
  folder: string,
  inspected: InspectedDataset,
  to: string,
  report: (progress: StageProgress) => void,
): Promise<string> {
  const { source, contents, text, sizes } = inspected;
  const { cancellationSignal } = Context.current();
  let done = 0;
  await source.scan(async (path, image, total) => {
    cancellationSignal.throwIfAborted();
    if ('fault' in image || sha256(image.bytes) !== contents.get(path)) {
      throw changed(folder, path);
    }
    await mkdir(dirname(join(to, path)), { recursive: true });
    await writeFile(join(to, path), image.bytes);
    done += 1;
    report({ state: 'copying', done, total, unit: 'files' });
  });
  if (done !== Object.keys(sizes).length) throw changed(folder, `${done} images`);
  await writeFile(join(to, pairsName), text);
  await writeFile(join(to, sizesName), `${JSON.stringify(sizes)}\n`);
  return to;
}

function changed(folder: string, what: string): ApplicationFailure {
  return passing('DataChanged', `dataset "${folder}" changed while it was read: ${what}`);
}

function counts({ pairs, sizes, sharedSources }: InspectedDataset): Record<string, number> {
  const ofSplit = splits.map((split) => [split, pairs.filter(({ pair }) => pair.split === split).length] as const);
  const sources = new Set(pairs.map(({ pair }) => pair.source_id)).size;
  const images = Object.keys(sizes).length;
  const critiqued = pairs.filter(({ pair }) => pair.split === 'train' && pair.critique !== undefined).length;
  return {
    pairs: pairs.length,
    ...Object.fromEntries(ofSplit),
    ...(critiqued === 0 ? {} : { critiqued }),
    sources,
    shared_sources: sharedSources,
    images,
  };
}

function dataInvalid(message: string): ApplicationFailure {
  return refuse('DataInvalid', message);
}
