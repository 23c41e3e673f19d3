/** Fixtures of imports: small models that are really models, and interpreters that say what a test wants. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '../fixtures.ts';

/** Safetensors with one tensor of `values` bytes. */
export function safetensors(values: Buffer): Buffer {
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: 'U8', shape: [values.length], data_offsets: [0, values.length] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, values]);
}

export const modelFiles: Record<string, string | Buffer> = {
  'config.json': '{"model_type":"qwen2_5_vl"}',
  'tokenizer_config.json': '{}',
  'preprocessor_config.json': '{}',
  'tokenizer.json': '{}',
  'model.safetensors': safetensors(Buffer.from('weights of a model')),
};

/** A model's folder; `changes` replace files, undefined leaves one out. */
export async function writeModel(changes: Record<string, string | Buffer | undefined> = {}): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries({ ...modelFiles, ...changes })) {
    if (content !== undefined) await writeFile(join(folder, name), content);
  }
  return folder;
}

/** A Hub cache as huggingface_hub makes it: blobs, and a snapshot of links into them. */
export async function writeSnapshot(): Promise<{ cache: string; snapshot: string }> {
  const cache = await temporaryFolder();
  const repository = join(cache, 'models--org--critic');
  const snapshot = join(repository, 'snapshots', 'c0ffee');
  await mkdir(snapshot, { recursive: true });
  await mkdir(join(repository, 'blobs'));
  for (const [name, content] of Object.entries(modelFiles)) {
    await writeFile(join(repository, 'blobs', `blob-of-${name}`), content);
    await symlink(join('..', '..', 'blobs', `blob-of-${name}`), join(snapshot, name));
  }
  return { cache, snapshot };
}

const packages = [
  'torch',
  'torchvision',
  'transformers',
  'tokenizers',
  'numpy',
  'pillow',
  'accelerate',
  'datasets',
  'trl',
  'llamafactory',
];

/**
 * An environment with the trainer's packages, as far as their versions go: the system's Python behind a wrapper that puts a
 * folder of `.dist-info` on its path.
 */
export async function writeEnvironment(
  versions: Record<string, string> = {},
): Promise<{ python: string; site: string }> {
  const folder = await temporaryFolder();
  const site = join(folder, 'site-packages');
  await mkdir(site);
  for (const name of packages) await install(site, name, versions[name] ?? '1.0');
  const python = join(folder, 'python');
  const text = `#!/bin/sh\nPYTHONPATH="$PYTHONPATH:${site}" exec /usr/bin/env python3 "$@"\n`;
  await writeFile(python, text, { mode: 0o755 });
  return { python, site };
}

export async function install(site: string, name: string, version: string): Promise<void> {
  const info = join(site, `${name}-${version}.dist-info`);
  await mkdir(info);
  await writeFile(join(info, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`);
}

/** The real trainer's folder. */
export const trainerSource = join(dirname(dirname(dirname(import.meta.dirname))), 'trainer');
