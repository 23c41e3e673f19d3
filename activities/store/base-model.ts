/**
 * The base model: checked, hashed, and either used where it is or copied into the store. If jobs can see it already (CRITIC_MODEL_ROOTS, or the
 * store itself), it is not copied. Its key is still the hash of its content, and each attempt checks that the files are the same: by sizes,
 * times and inodes. A file is read in full only if one of these differs.
 */
import { join } from 'node:path';
import { describeFault } from '../../domain/errors.ts';
import { FileFault } from '../../files/regular-file.ts';
import { copyFiles, isWhole } from './imported-folder.ts';
import { checkModel } from './model-check.ts';
import { type HashedFile, hashModelFiles, isBelow, listModelFiles, realIfThere, sumsOf } from './model-files.ts';
import { refuse } from '../failure.ts';

/** Folders with models, as the operator names them. Absolute. */
export interface ModelFolders {
  /** Jobs see these under the same paths, so models in them are used where they are. */
  roots: string[];
  /** Only the worker sees these: links into them are followed, and models are copied. */
  caches: string[];
}

/** Key: hash of the content. Path: where jobs read it. */
export interface BaseModel {
  key: string;
  path: string;
}

const field = 'recipe.base_model';

/** Key of a model, and where jobs will read it. Nothing is copied. `DataInvalid` if it is no model or is not whole. */
export async function readBaseModel(source: string, root: string, folders: ModelFolders): Promise<BaseModel> {
  const { key, path } = await look(source, root, folders);
  return { key, path };
}

/** As `readBaseModel`, and makes the copy if one is needed. Reads an existing copy only if its files look changed. */
export async function importBaseModel(source: string, root: string, folders: ModelFolders): Promise<BaseModel> {
  const { key, path, files } = await look(source, root, folders);
  if (path !== source)
    await copyFiles(files, path, async () => (await isWhole(path)) && (await keyOf(path, root)) === key);
  return { key, path };
}

/** Checks, before a job reads it, that it is still what the run began with. `DataInvalid` if not. */
export async function verifyBaseModel(model: BaseModel, root: string, folders: ModelFolders): Promise<void> {
  const key = await guarded(() => keyOf(model.path, root, [...folders.roots, ...folders.caches]));
  if (key === model.key) return;
  const fault = {
    field: `${field} ("${model.path}")`,
    value: key,
    expected: `the content ${model.key} of the run's start`,
  };
  throw refuse('DataInvalid', `${describeFault(fault)}: start a new run with the changed model`);
}

async function look(source: string, root: string, folders: ModelFolders): Promise<BaseModel & { files: HashedFile[] }> {
  return guarded(async () => {
    const listed = await listModelFiles(source, [...folders.roots, ...folders.caches], field);
    await checkModel(listed, field);
    const files = await hashModelFiles(root, source, listed);
    const { key } = sumsOf(files);
    const shared = await Promise.all([root, ...folders.roots].map(realIfThere));
    const lies = [await realIfThere(source), ...files.map((file) => file.path)];
    const isShared = lies.every((path) => path !== undefined && isBelow(path, shared));
    return { key, path: isShared ? source : join(root, 'models', key), files };
  });
}

async function keyOf(path: string, root: string, links: readonly string[] = []): Promise<string> {
  return sumsOf(await hashModelFiles(root, path, await listModelFiles(path, links, field))).key;
}

/** A named pipe or device among the files is the recipe's fault, not the worker's. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    throw refuse('DataInvalid', `${field}: ${error.message}`, error);
  }
}
