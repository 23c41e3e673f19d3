import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeEach, describe, expect, it } from 'vitest';
import { prepareQuestion, readPictures, requestTokens } from '../../../activities/synthesis/question.ts';
import type { Pair } from '../../../domain/manifest.ts';
import type { SynthesisSettings } from '../../../domain/recipe.ts';
import { makePairs, makePlan, png, temporaryFolder } from '../fixtures.ts';

const pair = firstPair();
const small = png(512, 512);
const large = png(1024, 1024);
const sizes = { [pair.source_image]: [512, 512], [pair.edited_image]: [1024, 1024] } as const;
let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'images/src'), { recursive: true });
  await mkdir(join(folder, 'images/edited'), { recursive: true });
  await writeFile(join(folder, pair.source_image), small);
  await writeFile(join(folder, pair.edited_image), large);
});

function firstPair(): Pair {
  const [first] = makePairs(1);
  if (first === undefined) throw new Error('there is no pair');
  return first;
}

function prepare(settings: Partial<SynthesisSettings>) {
  const { synthesis } = makePlan('/data', settings).recipe;
  const source = { settings: synthesis, datasetPath: folder, sizes, answersKey: 'k' };
  return { prepared: prepareQuestion(source, pair, 1), synthesis };
}

describe('the pictures of a question', () => {
  it('go as they are where the teacher sees all of them, and as JPEG of the size it sees where they are larger', async () => {
    const { prepared } = prepare({});
    const [source, edited] = await readPictures(folder, prepared.pictures);
    expect(source).toEqual({ kind: 'png', bytes: await readFile(join(folder, pair.source_image)) });
    expect(edited?.kind).toBe('jpeg');
    expect(await sharp(edited?.bytes).metadata()).toMatchObject({ format: 'jpeg', width: 768, height: 768 });
  });

  it('are none larger than 512 in low detail', async () => {
    const { prepared } = prepare({ detail: 'low' });
    const [source, edited] = await readPictures(folder, prepared.pictures);
    expect(source?.bytes).toEqual(small);
    expect(await sharp(edited?.bytes).metadata()).toMatchObject({ width: 512, height: 512 });
  });

  it('cost the same tokens as the sizes they are sent in', () => {
    const { prepared, synthesis } = prepare({});
    const asSent = Object.fromEntries(
      prepared.pictures.map(({ path, fitted: { width, height } }) => [path, [width, height] as const]),
    );
    expect(requestTokens(synthesis, pair, asSent)).toEqual(requestTokens(synthesis, pair, sizes));
    expect(requestTokens(synthesis, pair, sizes).images).toBe(255 + 765);
  });

  it('are named when the store’s copy is damaged', async () => {
    await writeFile(join(folder, pair.edited_image), large.subarray(0, 100));
    const { prepared } = prepare({});
    await expect(readPictures(folder, prepared.pictures)).rejects.toThrow(/images\/edited\/p0\.png" .* is damaged/);
  });
});
