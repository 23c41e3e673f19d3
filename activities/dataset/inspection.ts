/**
 * Dataset inspection: reads a dataset of any form once, and says all that is wrong with it, or what it holds. It writes nothing. An estimate
 * is made from it before anything runs, and the dataset stage publishes what it found.
 */
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { carveDev } from '../../domain/dev-split.ts';
import { shown } from '../../domain/errors.ts';
import type { StageProgress } from '../../domain/jobs/progress.ts';
import type { DatasetSettings } from '../../domain/recipe.ts';
import { FileFault } from '../../files/regular-file.ts';
import {
  at,
  type DatasetSource,
  findSetFaults,
  findSharedSources,
  type PairLine,
  pairsName,
  writtenPairs,
} from './rows.ts';
import { openDataset } from './source.ts';
import { findDecodingFault, readImage } from './image.ts';

/** Width and height in pixels by image path: `images.json` of a dataset artifact. */
export type ImageSizes = Record<string, readonly [width: number, height: number]>;

export interface InspectedDataset {
  source: DatasetSource;
  pairs: PairLine[];
  /** Text of `pairs.jsonl`. */
  text: string;
  /** Relative path → sha256, `pairs.jsonl` included. */
  contents: Map<string, string>;
  sizes: ImageSizes;
  /** Sources that are in more than one split. 0 unless the recipe says that they are only reported. */
  sharedSources: number;
}

type Report = (progress: StageProgress) => void;

/**
 * `decoded`: sums of images that an earlier run decoded. An image with such a sum is not decoded again. `report` is called after each image.
 * Stops between two images when the activity is cancelled.
 */
export async function inspectDataset(
  settings: DatasetSettings,
  decoded: ReadonlySet<string>,
  report: Report,
): Promise<InspectedDataset | { faults: string[] }> {
  try {
    return await inspect(settings, decoded, report);
  } catch (error) {
    // `pairs.jsonl` or a text file itself is no file, too large, or no text.
    if (error instanceof FileFault) return { faults: [`recipe.dataset: ${error.message}`] };
    throw error;
  }
}

async function inspect(
  settings: DatasetSettings,
  decoded: ReadonlySet<string>,
  report: Report,
): Promise<InspectedDataset | { faults: string[] }> {
  const source = await openDataset(settings);
  if ('fault' in source) return { faults: [source.fault] };
  const images = new ImageCheck(decoded, report);
  const { pairs, faults } = await source.scan((path, image, total) => images.take(path, image, total));
  const shared = findSharedSources(pairs, source.fields);
  const refused = settings.shared_sources === 'refuse' ? shared : [];
  const all = [...faults, ...findSetFaults(pairs, source.fields), ...refused, ...images.faults(pairs, source)];
  if (all.length > 0) return { faults: all };
  const split = await splitPairs(settings, source, pairs);
  if ('fault' in split) return { faults: [split.fault] };
  const contents = new Map([[pairsName, sha256(split.text)], ...images.sums]);
  return { source, ...split, contents, sizes: images.sizes, sharedSources: shared.length };
}

/** The pairs, with a dev split carved out of `train` if the recipe asks for one, and their text. */
async function splitPairs(
  { dev_fraction: fraction }: DatasetSettings,
  source: DatasetSource,
  pairs: PairLine[],
): Promise<{ pairs: PairLine[]; text: string } | { fault: string }> {
  if (fraction === undefined) return { pairs, text: await source.pairsText(pairs) };
  const carved = carveDev(
    pairs.map(({ pair }) => pair),
    fraction,
  );
  if ('fault' in carved) return carved;
  const lines = pairs.map((line, index) => ({ ...line, pair: carved.pairs[index] ?? line.pair }));
  return { pairs: lines, text: writtenPairs(lines) };
}

/** sha256 over the sorted listing: the same content gives the same hash in any place. */
export function listingHash(contents: ReadonlyMap<string, string>): string {
  const lines = [...contents].map(([path, sum]) => `${path}\0${sum}\n`).toSorted();
  return sha256(lines.join(''));
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Decodes each image as it comes. Keeps its sum and size, or its fault, and never its bytes. */
class ImageCheck {
  readonly sums = new Map<string, string>();
  readonly sizes: Record<string, readonly [number, number]> = {};
  readonly #faults = new Map<string, string>();
  readonly #decoded: ReadonlySet<string>;
  readonly #report: Report;
  #done = 0;

  constructor(decoded: ReadonlySet<string>, report: Report) {
    this.#decoded = decoded;
    this.#report = report;
  }

  async take(path: string, image: { bytes: Buffer } | { fault: string }, total: number): Promise<void> {
    Context.current().cancellationSignal.throwIfAborted();
    const fault = 'fault' in image ? image.fault : await this.#look(path, image.bytes);
    if (fault !== undefined) this.#faults.set(path, fault);
    this.#done += 1;
    const failed = this.#faults.size;
    this.#report({ state: 'checking', done: this.#done, total, unit: 'files', failed });
  }

  async #look(path: string, bytes: Buffer): Promise<string | undefined> {
    const wrong = (fault: string) => `expected an image, got ${shown(path)}, ${fault}`;
    const facts = await readImage(bytes);
    if ('fault' in facts) return wrong(facts.fault);
    const sum = sha256(bytes);
    const fault = this.#decoded.has(sum) ? undefined : await findDecodingFault(bytes, facts);
    if (fault !== undefined) return wrong(fault);
    this.sums.set(path, sum);
    this.sizes[path] = [facts.width, facts.height];
    return undefined;
  }

  /** Each bad image once, named by the first row and field that use it. */
  faults(pairs: readonly PairLine[], { fields }: DatasetSource): string[] {
    const left = new Map(this.#faults);
    return pairs.flatMap(({ where, pair }) =>
      (['source_image', 'edited_image'] as const).flatMap((field) => {
        const fault = left.get(pair[field]);
        left.delete(pair[field]);
        return fault === undefined ? [] : [`${at(where, fields[field])}${fault}`];
      }),
    );
  }
}
