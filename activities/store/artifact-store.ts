/**
 * The artifact store: content-addressed folders `<root>/artifacts/<stage>/<key>/` with a `manifest.json` written last
 * (docs/CONTRACTS.md §1). Publishing renames a whole folder, so an artifact is there complete or not at all.
 *
 * kill -9 before the rename: the working folder stays, and the stage is done or published again. After it: `find` sees the artifact. Two
 * publishers of one key: the first rename wins, and the second one's folder is removed.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, lstat, mkdir, readdir, rename, rm, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ArtifactManifest,
  type ArtifactRef,
  artifactManifestSchema,
  canonicalJson,
  type Cost,
} from '../../domain/manifest.ts';
import { paths, type Stage } from '../../domain/names.ts';
import { lookUntil, StaleView, staleViewMs, viewAgeMs, whenListed } from '../../files/fresh-look.ts';
import { readRegularFile, withRegularFile } from '../../files/regular-file.ts';
import { hasCode, removeTemporaries, syncFolder, writeFileAtomic } from './durable-file.ts';
import { parseJson } from '../../files/json.ts';
import { refuse } from '../failure.ts';
import { listFiles } from './folder-files.ts';

const manifestName = 'manifest.json';
/** A model or a dataset of 100,000 pictures has less. */
const maxManifestBytes = 256 * 1024 * 1024;
const noFollow = { noFollow: true };

export interface Publication {
  stage: Stage;
  key: string;
  ingredients: Record<string, unknown>;
  /** Folder inside the store whose content becomes the artifact. It is moved. It may hold only regular files and folders. */
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
   * Key and path of the artifact that these ingredients determine, and the artifact itself if it exists and every file has the size and sha256
   * of its manifest. An artifact that does not verify is set aside (`.corrupt-<n>`) and never used.
   */
  async find(
    stage: Stage,
    ingredients: Record<string, unknown>,
  ): Promise<{ key: string; path: string; artifact: ArtifactRef | undefined }> {
    const key = artifactKey(stage, ingredients);
    const path = paths.artifact(this.root, stage, key);
    await this.#markUsed(stage, key);
    const manifest = await this.#verified(stage, key);
    return { key, path, artifact: manifest && { ...reference(manifest, path), reused: true } };
  }

  /** The artifact with this key as its manifest tells it, without a look at its files: enough for an estimate, never for a stage. */
  async peek(stage: Stage, key: string): Promise<ArtifactManifest | undefined> {
    const name = below(this.root, paths.artifactManifest(this.root, stage, key));
    return whenListed(this.root, name, async (path) => parseManifest(await readText(path)));
  }

  /** What the manifest in this folder says. Undefined if it has none that can be read. */
  async artifactAt(folder: string): Promise<ArtifactManifest | undefined> {
    return whenListed(folder, manifestName, async (path) => parseManifest(await readText(path)), 0);
  }

  /** Keys of all artifacts of a stage. */
  async keys(stage: Stage): Promise<string[]> {
    const folder = below(this.root, dirname(paths.artifact(this.root, stage, 'key')));
    const names = (await whenListed(this.root, folder, (path) => readdir(path))) ?? [];
    return names.filter((name) => /^[0-9a-f]{32}$/.test(name));
  }

  /** Where `partial` is or would be. */
  partialPath(stage: Stage, key: string): string {
    return join(this.root, 'partial', stage, key);
  }

  /** Durable working folder of an unfinished artifact. It is the same for every run that needs this key. */
  async partial(stage: Stage, key: string): Promise<string> {
    const path = this.partialPath(stage, key);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Makes a folder an artifact: hash, fsync, manifest last, rename. Returns the artifact that exists afterwards. */
  async publish(publication: Publication): Promise<ArtifactRef> {
    const { stage, key, from } = publication;
    const path = paths.artifact(this.root, stage, key);
    const placed = async () => {
      const standing = await this.#verified(stage, key);
      if (standing !== undefined) {
        await rm(from, { recursive: true, force: true });
        return reference(standing, path);
      }
      await removeTemporaries(from);
      const manifest = await describe(publication);
      await writeFileAtomic(join(from, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
      await mkdir(dirname(path), { recursive: true });
      if (!(await moved(from, path))) return undefined;
      await syncFolder(dirname(path));
      return reference(manifest, path);
    };
    // Another publisher may have been first, and its artifact may not be seen here yet.
    const artifact = await lookUntil(placed, (done) => done !== undefined, staleViewMs);
    if (artifact === undefined) throw new StaleView(path, staleViewMs);
    return artifact;
  }

  /**
   * The manifest's time is that of its last use, for `critic artifacts gc`, which sets aside what was long unused. It is marked before it is looked at:
   * one that was set aside before the mark is not found then.
   */
  async #markUsed(stage: Stage, key: string): Promise<void> {
    const name = below(this.root, paths.artifactManifest(this.root, stage, key));
    const now = new Date();
    await whenListed(this.root, name, (path) => utimes(path, now, now), 0);
  }

  async #verified(stage: Stage, key: string): Promise<ArtifactManifest | undefined> {
    const path = paths.artifact(this.root, stage, key);
    const name = below(this.root, paths.artifactManifest(this.root, stage, key));
    const look = () => whenListed(this.root, name, async (manifest) => findFault(path, await readText(manifest)));
    let found = await look();
    if (typeof found === 'string') {
      // What looks damaged may only be an old view, while another machine is replacing it.
      await sleep(await viewAgeMs(this.root));
      found = await look();
    }
    if (typeof found !== 'string') return found;
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

/** sha256 of a regular file's content, streamed. Links are followed. Throws FileFault for anything else. */
export async function fileSha256(path: string): Promise<string> {
  return withRegularFile(path, async (file) => (await digest(file)).sha256);
}

async function digest(file: FileHandle): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let bytes = 0; ;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    hash.update(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}

async function describe(publication: Publication): Promise<ArtifactManifest> {
  const { stage, key, ingredients, from, counts, cost, run, attempts } = publication;
  const files: ArtifactManifest['files'] = [];
  const listed = await listFiles(from);
  const [fault] = listed.faults;
  if (fault !== undefined) {
    throw refuse(
      'PostconditionFailed',
      `publish "${from}": ${fault}, neither a file nor a folder: an artifact may hold nothing else`,
    );
  }
  for (const path of listed.files) {
    if (path === manifestName) continue;
    files.push({ path, ...(await withRegularFile(join(from, path), syncedDigest, noFollow)) });
  }
  const made_by = { run, attempts, finished_at: new Date().toISOString() };
  return artifactManifestSchema.parse({ schema: 1, stage, key, ingredients, files, counts, made_by, cost });
}

/** The manifest if the folder holds what the manifest says. Otherwise a sentence on what is wrong. */
export async function findFault(path: string, text: string): Promise<ArtifactManifest | string> {
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
  return artifactManifestSchema.safeParse(parseJson(text)).data;
}

/** Manifest of an artifact that is known to exist, e.g. for the report. Throws if it is unreadable. */
export async function readManifest(artifactPath: string): Promise<ArtifactManifest> {
  const name = `${basename(artifactPath)}/${manifestName}`;
  const text = await whenListed(dirname(artifactPath), name, readText);
  if (text === undefined) throw new Error(`there is no artifact at "${artifactPath}"`);
  return artifactManifestSchema.parse(JSON.parse(text));
}

async function syncedDigest(file: FileHandle): Promise<{ bytes: number; sha256: string }> {
  await file.sync();
  return digest(file);
}

/** Renames a folder. False if there is another one that is not empty. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function readText(path: string): Promise<string> {
  return (await readRegularFile(path, maxManifestBytes, noFollow)).toString('utf8');
}

function below(root: string, path: string): string {
  return path.slice(root.length + 1);
}

function reference(manifest: ArtifactManifest, path: string): ArtifactRef {
  const { stage, key, counts, cost } = manifest;
  return { stage, key, path, reused: false, counts, cost };
}
