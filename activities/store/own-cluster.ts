/**
 * Whose store it is: `<store>/cluster/owner.json` names the one cluster that works in it. Two clusters in one store would tell people of each other's runs, and take
 * each other's turns.
 *
 * The folder is made by one rename and never changed. kill -9 before it leaves a `.tmp` that nobody reads; after it the worker finds the store its own.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Cluster, clusterInWords } from '../../domain/clusters.ts';
import { staleViewMs, whenListed } from '../../files/fresh-look.ts';
import { parseJson } from '../../files/json.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { hasCode, syncFolder, writeFileAtomic } from './durable-file.ts';

const [folderName, fileName] = ['cluster', 'owner.json'];
const name = `${folderName}/${fileName}`;
const maxBytes = 4096;
const ownerSchema = z.strictObject({ schema: z.literal(1), cluster: z.string().nullable() });

/** Makes the store this cluster's, if it is nobody's. Throws an Error that says what to do if it is another one's. */
export async function claimStore(root: string, cluster: Cluster): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o750 });
  const owner =
    (await readOwner(root, 0)) ??
    ((await wasWritten(root, cluster)) ? { cluster } : await readOwner(root, staleViewMs));
  if (owner !== undefined && (owner.cluster ?? undefined) === cluster) return;
  const whose =
    owner === undefined ? `unreadable ("${name}")` : `that of ${clusterInWords(owner.cluster ?? undefined)}`;
  throw new Error(
    `CRITIC_STORE: expected a store of ${clusterInWords(cluster)} (CRITIC_CLUSTER), got "${root}", which is ${whose}; each cluster needs a store of its own. ` +
      `To give this one to another cluster, stop its workers and remove "${join(root, folderName)}"`,
  );
}

/** The cluster whose store it is. Undefined: the one without a name, nobody has claimed it yet, or the file says neither. */
export async function clusterOfStore(root: string): Promise<Cluster> {
  const text = await whenListed(root, name, (path) => readRegularText(path, maxBytes), 0);
  return (text === undefined ? undefined : ownerSchema.safeParse(parseJson(text)).data?.cluster) ?? undefined;
}

/** Undefined: nobody's. */
async function readOwner(root: string, patienceMs: number): Promise<z.output<typeof ownerSchema> | undefined> {
  const text = await whenListed(root, name, (path) => readRegularText(path, maxBytes), patienceMs);
  if (text === undefined) return undefined;
  const { data } = ownerSchema.safeParse(parseJson(text));
  if (data !== undefined) return data;
  throw new Error(`"${join(root, name)}": expected {"schema": 1, "cluster": name or null}, got something else`);
}

/** False: another worker was first. A folder cannot be renamed onto one that has a file, so one of several succeeds, on any file system. */
async function wasWritten(root: string, cluster: Cluster): Promise<boolean> {
  const temporary = join(root, `.cluster-${randomUUID()}.tmp`);
  try {
    await mkdir(temporary, { mode: 0o750 });
    await writeFileAtomic(join(temporary, fileName), `${JSON.stringify({ schema: 1, cluster: cluster ?? null })}\n`);
    await rename(temporary, join(root, folderName));
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await syncFolder(root);
  return true;
}
