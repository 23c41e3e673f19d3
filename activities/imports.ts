/**
 * Imports: what a run needs beside its dataset is copied into the store by content: the trainer's code (so that a job runs
 * the code its artifact's key names, whatever happens to the checkout) and the base model (so that jobs can read it).
 *
 * kill -9 before the rename leaves a `.tmp-…` folder that nobody reads; after it, the import stands. Idempotent.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { paths } from '../domain/names.ts';
import type { RunPlan } from '../domain/plan.ts';
import { fileSha256, listFiles } from './artifact-store.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeating.ts';
import { hasCode, syncFolder, writeFileAtomic } from './durable-file.ts';

export interface PreparedRun {
  /** Folder to put on PYTHONPATH. Its last segment is the code's hash. */
  trainer: string;
  baseModel: { key: string; path: string };
}

export function createImportActivities(deps: Pick<ActivityDeps, 'store' | 'job'>) {
  const { store, job } = deps;
  return {
    /** Writes the plan beside the run and imports trainer code and base model. */
    async prepareRun({ plan }: { plan: RunPlan }): Promise<PreparedRun> {
      const folder = paths.run(store.root, plan.run);
      await mkdir(folder, { recursive: true });
      await writeFileAtomic(join(folder, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`);
      const trainer = await importFolder(
        job.trainerSource,
        (hash) => paths.trainerCode(store.root, hash),
        isTrainerCode,
      );
      const model = await heartbeating('importing', () => importModel(plan.recipe.base_model, store.root));
      return { trainer: trainer.path, baseModel: model };
    },
  };
}

/** Key of a base model and hash of the trainer's code, without importing either. */
export async function hashImports(
  baseModel: string,
  trainerSource: string,
): Promise<{ baseModel: string; trainer: string }> {
  await refuseNoModel(baseModel);
  const model = await listing(baseModel, await listFiles(baseModel));
  const code = await listing(trainerSource, (await listFiles(trainerSource)).filter(isTrainerCode));
  return { baseModel: model.hash, trainer: code.hash };
}

async function importModel(source: string, root: string): Promise<{ key: string; path: string }> {
  await refuseNoModel(source);
  const imported = await importFolder(
    source,
    (hash) => join(root, 'models', hash),
    () => true,
  );
  return { key: imported.hash, path: imported.path };
}

async function refuseNoModel(source: string): Promise<void> {
  const config = await stat(join(source, 'config.json')).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
  if (config === undefined) {
    throw ApplicationFailure.nonRetryable(
      `recipe.base_model: expected a folder of a Hugging Face model with a config.json, got "${source}"`,
      'DataInvalid',
    );
  }
}

/** The package's code only: no tests, caches or pre-training, which do not run inside jobs. */
function isTrainerCode(file: string): boolean {
  return file.startsWith('critic_trainer/') && file.endsWith('.py') && !/\/(pretrain|scenes|__pycache__)\//.test(file);
}

/** Copies the chosen files of a folder to where their common hash says, unless they are there. */
async function importFolder(
  source: string,
  destination: (hash: string) => string,
  wanted: (file: string) => boolean,
): Promise<{ hash: string; path: string }> {
  const files = (await listFiles(source)).filter(wanted);
  const { hash, text } = await listing(source, files);
  const path = destination(hash);
  if (await isThere(join(path, 'SHA256SUMS'))) return { hash, path };
  const temporary = `${path}.tmp-${randomUUID()}`;
  for (const file of files) {
    await mkdir(dirname(join(temporary, file)), { recursive: true });
    // Not copyFile: it keeps owner and mode of the source, and jobs read by the store's group.
    await pipeline(createReadStream(join(source, file)), createWriteStream(join(temporary, file), { mode: 0o640 }));
  }
  await writeFile(join(temporary, 'SHA256SUMS'), text);
  await moveInto(temporary, path);
  return { hash, path };
}

/** SHA256SUMS of these files, and the hash that names them together. */
async function listing(source: string, files: readonly string[]): Promise<{ hash: string; text: string }> {
  const sums = await Promise.all(files.map(async (file) => `${await fileSha256(join(source, file))}  ${file}\n`));
  const text = sums.join('');
  return { hash: createHash('sha256').update(text).digest('hex').slice(0, 32), text };
}

/** Renames; if another import was first, that one stands. */
async function moveInto(temporary: string, path: string): Promise<void> {
  try {
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
    await rm(temporary, { recursive: true, force: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
