/**
 * The artifact store: content-addressed folders `<root>/artifacts/<stage>/<key>/` with a `manifest.json` written last
 * (contracts.md §1). Publishing renames a whole folder, so an artifact is there complete or not at all.
 *
 * kill -9 before the rename: the working folder stays and the stage is done again or published again; after it: `find`
 * sees the artifact. Two publishers of one key: the first rename wins, the second one's folder is removed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  type ArtifactManifest,
  type ArtifactRef,
  artifactManifestSchema,
  canonicalJson,
  type Cost,
} from '../domain/manifest.ts';
import { paths, type Stage } from '../domain/names.ts';
import { hasCode, readIfPresent, syncFolder, writeFileAtomic } from './durable-file.ts';

const manifestName = 'manifest.json';

export interface Publication {
  stage: Stage;
  key: string;
  ingredients: Record<string, unknown>;
  /** Folder inside the store whose content becomes the artifact; it is moved. Regular files and folders only. */
  from: string;
  counts: Record<string, number>;
  cost: Cost;
  run: string;
  attempts: string[];
}

export class ArtifactStore {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /**
   * Key and path of the artifact that these ingredients determine, and the artifact itself if it exists and every file
   * has the size and sha256 of its manifest. One that does not verify is set aside (`.corrupt-<n>`), never used.
   */
  async find(
    stage: Stage,
    ingredients: Record<string, unknown>,
  ): Promise<{ key: string; path: string; artifact: ArtifactRef | undefined }> {
    const key = artifactKey(stage, ingredients);
    const path = paths.artifact(this.root, stage, key);
    const manifest = await this.#verified(path);
    return { key, path, artifact: manifest && { ...reference(manifest, path), reused: true } };
  }

  /** The artifact with this key as its manifest tells it, files unread: enough for a plan, never for a stage. */
  async peek(stage: Stage, key: string): Promise<ArtifactManifest | undefined> {
    const text = await readIfPresent(paths.artifactManifest(this.root, stage, key));
    return text === undefined ? undefined : parseManifest(text);
  }

  /** Keys of all artifacts of a stage. */
  async keys(stage: Stage): Promise<string[]> {
    const names = await readdir(dirname(paths.artifact(this.root, stage, 'key'))).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    });
    return names.filter((name) => /^[0-9a-f]{32}$/.test(name));
  }

  /** Where `partial` is or would be. */
  partialPath(stage: Stage, key: string): string {
    return join(this.root, 'partial', stage, key);
  }

  /** Durable working folder of an unfinished artifact, the same for every run that needs this key. */
  async partial(stage: Stage, key: string): Promise<string> {
    const path = this.partialPath(stage, key);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Makes a folder an artifact: hash, fsync, manifest last, rename. Returns the one that stands afterwards. */
  async publish(publication: Publication): Promise<ArtifactRef> {
    const { stage, key, from } = publication;
    const path = paths.artifact(this.root, stage, key);
    const standing = await this.#verified(path);
    if (standing !== undefined) {
      await rm(from, { recursive: true, force: true });
      return reference(standing, path);
    }
    const manifest = await describe(publication);
    await writeFileAtomic(join(from, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    await mkdir(dirname(path), { recursive: true });
    try {
      await rename(from, path);
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error;
      return this.publish(publication);
    }
    await syncFolder(dirname(path));
    return reference(manifest, path);
  }

  async #verified(path: string): Promise<ArtifactManifest | undefined> {
    const text = await readIfPresent(join(path, manifestName));
    if (text === undefined) return undefined;
    const fault = await findFault(path, text);
    if (typeof fault !== 'string') return fault;
    await rename(path, `${path}.corrupt-${Date.now()}`);
    return undefined;
  }
}

/** First 32 hex digits of the sha256 of the canonical JSON of stage and ingredients. */
export function artifactKey(stage: Stage, ingredients: Record<string, unknown>): string {
  return createHash('sha256')
    .update(canonicalJson({ schema: 1, stage, ingredients }))
    .digest('hex')
    .slice(0, 32);
}

/** sha256 of a file's content, streamed. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Regular files below `folder`, as sorted relative paths. A link or device in it is refused: jobs' output is distrusted. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) throw new Error(`"${path}" is neither a file nor a folder: an artifact may hold nothing else`);
    files.push(path.slice(folder.length + 1));
  }
  return files.toSorted();
}

async function describe(publication: Publication): Promise<ArtifactManifest> {
  const { stage, key, ingredients, from, counts, cost, run, attempts } = publication;
  const files: ArtifactManifest['files'] = [];
  for (const path of await listFiles(from)) {
    if (path === manifestName) continue;
    const full = join(from, path);
    await syncFile(full);
    files.push({ path, bytes: (await lstat(full)).size, sha256: await fileSha256(full) });
  }
  const made_by = { run, attempts, finished_at: new Date().toISOString() };
  return artifactManifestSchema.parse({ schema: 1, stage, key, ingredients, files, counts, made_by, cost });
}

/** The manifest if the folder holds what it says; else a sentence on what is wrong. */
async function findFault(path: string, text: string): Promise<ArtifactManifest | string> {
  const manifest = parseManifest(text);
  if (manifest === undefined) return 'manifest.json is unreadable';
  for (const file of manifest.files) {
    const full = join(path, file.path);
    const state = await lstat(full).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (state === undefined) return `${file.path} is missing`;
    if (!state.isFile() || state.size !== file.bytes) return `${file.path} has another size`;
    if ((await fileSha256(full)) !== file.sha256) return `${file.path} has another content`;
  }
  return manifest;
}

function parseManifest(text: string): ArtifactManifest | undefined {
  try {
    return artifactManifestSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Manifest of an artifact that is known to exist, e.g. for the report. Throws if it is unreadable. */
export async function readManifest(artifactPath: string): Promise<ArtifactManifest> {
  return artifactManifestSchema.parse(JSON.parse(await readFile(join(artifactPath, manifestName), 'utf8')));
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function reference(manifest: ArtifactManifest, path: string): ArtifactRef {
  const { stage, key, counts, cost } = manifest;
  return { stage, key, path, reused: false, counts, cost };
}
