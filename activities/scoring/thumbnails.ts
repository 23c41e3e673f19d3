/** Small pictures for the page of a scoring, as data URLs by their path in the artifact. Of the first pairs only: a page must stay one that a browser opens. */
import { join } from 'node:path';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { readRegularFile } from '../../files/regular-file.ts';
import { forEachConcurrently } from '../bounded-concurrency.ts';
import { maxImageBytes } from '../dataset/image-files.ts';
import { dataUrl, readImage, smallerJpeg } from '../dataset/image.ts';
import type { ScoredPair } from './forms.ts';

/** Pairs that the page shows with pictures. They take some 20 KB each. */
export const picturedPairs = 300;
/** Longest side in pixels. */
const side = 224;

export interface Thumbnail {
  url: string;
  width: number;
  height: number;
}

export async function thumbnails(
  pairs: ArtifactRef,
  rows: readonly ScoredPair[],
): Promise<ReadonlyMap<string, Thumbnail>> {
  const wanted = new Set(
    rows.slice(0, picturedPairs).flatMap(({ pair }) => [pair.source_image ?? [], pair.edited_image ?? []].flat()),
  );
  const found = new Map<string, Thumbnail>();
  await forEachConcurrently(wanted, 4, async (path) => {
    const small = await thumbnail(join(pairs.path, path));
    if (small !== undefined) found.set(path, small);
  });
  return found;
}

async function thumbnail(path: string): Promise<Thumbnail | undefined> {
  const bytes = await readRegularFile(path, maxImageBytes, { noFollow: true });
  const facts = await readImage(bytes);
  if ('fault' in facts) return undefined;
  const { kind, width, height } = facts;
  const factor = Math.min(1, side / Math.max(width, height));
  if (factor === 1) return { url: dataUrl({ kind, bytes }), width, height };
  const to = { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
  const small = await smallerJpeg(bytes, facts, to);
  return small === undefined ? undefined : { url: dataUrl({ kind: 'jpeg', bytes: small }), ...to };
}
