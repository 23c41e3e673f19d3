/** Whether the worker can open what a scoring names, before any work: missing, unreadable and of another kind are told apart. It only looks. */
import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cut, shown } from '../../domain/errors.ts';
import type { ScoringOrder } from '../../domain/scoring/scoring.ts';
import { FileFault, withRegularFile } from '../../files/regular-file.ts';
import { hasCode } from '../store/durable-file.ts';

/** Why nothing can be read there, after `got "…", `. Undefined: the error tells nothing of the path, such as a file server that is away. */
export function whyUnreachable(error: unknown): string | undefined {
  if (error instanceof FileFault) return error.got;
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return 'which does not exist';
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) return 'which may not be read';
  if (hasCode(error, 'ENAMETOOLONG') || hasCode(error, 'ELOOP')) return 'which no file can be called';
  return undefined;
}

/** One sentence for each path that the worker cannot open, by the option that names it. Throws what says nothing of a path. */
export async function unreachable({ purpose, pairs, mapping }: Pick<ScoringOrder, 'purpose' | 'pairs' | 'mapping'>) {
  switch (pairs.kind) {
    case 'pair':
      return [
        ...(await faultsOf('--source', 'file', pairs.source)),
        ...(await faultsOf('--edited', 'file', pairs.edited)),
      ];
    case 'table':
      return faultsOf('--input', 'file', pairs.path);
    case 'folder': {
      const faults = await faultsOf(purpose === 'evaluate' ? '--dataset' : '--folder', 'folder', pairs.path);
      const { table, images } = mapping ?? {};
      if (faults.length > 0) return faults;
      if (table === undefined && (await tableOf(pairs.path)) === undefined) return folderFaults(pairs.path, purpose);
      return [
        ...(table === undefined ? [] : await faultsOf('mapping.table', 'file', join(pairs.path, table))),
        ...(images === undefined ? [] : await faultsOf('mapping.images', 'folder', join(pairs.path, images))),
      ];
    }
  }
}

/** Tables that a folder of pairs may have; the first one that is there counts. */
const tables = ['pairs.jsonl', 'pairs.csv', 'pairs.tsv'];

/** Name of the table in a folder of pairs. Undefined: it has none. */
export async function tableOf(folder: string): Promise<string | undefined> {
  const names = await readdir(folder);
  return tables.find((name) => names.includes(name));
}

/** What a folder without a table lacks. Opinions, which \`evaluate\` needs, are in tables alone. */
async function folderFaults(folder: string, purpose: ScoringOrder['purpose']): Promise<string[]> {
  const where = shown(cut(folder));
  if (purpose === 'evaluate')
    return [`--dataset: expected ${tables.join(', ')} or a mapping with a table, got ${where}, which has none`];
  const names = await readdir(folder);
  const missing = ['source', 'edited'].filter((name) => !names.includes(name)).map((name) => `"${name}"`);
  if (missing.length === 0) return [];
  return [
    `--folder: expected ${tables.join(', ')}, or "source" and "edited" in it, got ${where}, which has no ${missing.join(' and no ')}`,
  ];
}

async function faultsOf(field: string, kind: 'file' | 'folder', path: string): Promise<string[]> {
  try {
    await (kind === 'file' ? withRegularFile(path, async () => undefined) : openFolder(path));
    return [];
  } catch (error) {
    const why = whyUnreachable(error);
    if (why === undefined) throw error;
    return [`${field}: expected a ${kind} that the worker can read, got ${shown(cut(path))}, ${why}`];
  }
}

async function openFolder(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) throw new FileFault(path, 'a folder', 'which is no folder');
  await access(path, constants.R_OK | constants.X_OK);
}
