import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ArtifactStore, artifactKey, type Publication } from '../../../activities/store/artifact-store.ts';
import { createDatasetActivities } from '../../../activities/dataset/dataset.ts';
import { readPairs } from '../../../activities/dataset/rows.ts';
import {
  activityEnvironment,
  inActivity,
  makePairs,
  makePlan,
  png,
  pngOf,
  rejection,
  temporaryFolder,
  writeDataset,
} from '../fixtures.ts';

let store: ArtifactStore;

beforeEach(async () => {
  store = new ArtifactStore(await temporaryFolder());
});

async function check(folder: string) {
  const activities = createDatasetActivities({ store });
  return inActivity(activityEnvironment().env, () => activities.checkDataset({ plan: makePlan(folder) }));
}

/** The message of the non-retryable DataInvalid that the dataset is refused with. */
async function refusal(folder: string): Promise<string> {
  const error = await rejection(check(folder));
  expect(error).toBeInstanceOf(ApplicationFailure);
  expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
  expect(await readdir(store.root)).toEqual([]);
  return error instanceof Error ? error.message : '';
}

describe('a run', () => {
  it('on another cluster than its recipe names is refused before its dataset is read', async () => {
    const plan = makePlan('/not/there');
    const onA = { ...plan, recipe: { ...plan.recipe, cluster: 'a' } };
    const refused = (cluster: string | undefined, given: typeof plan) => {
      const activities = createDatasetActivities({ store, ...(cluster === undefined ? {} : { cluster }) });
      return rejection(inActivity(activityEnvironment().env, () => activities.checkDataset({ plan: given })));
    };
    expect(await Promise.all([refused(undefined, onA), refused('b', onA), refused('a', plan)])).toMatchObject([
      { type: 'RecipeInvalid', message: expect.stringContaining('the cluster without a name, got "a"') },
      { type: 'RecipeInvalid', message: expect.stringContaining('cluster "b", got "a"') },
      { type: 'RecipeInvalid', message: expect.stringContaining('cluster "a", got none') },
    ]);
    expect(await refused('a', onA)).toMatchObject({ type: 'DataInvalid' });
  });
});

describe('a good dataset', () => {
  it('becomes an artifact with its rows and images, and its counts', async () => {
    const folder = await writeDataset(makePairs(3));
    const artifact = await check(folder);
    expect(artifact.counts).toEqual({ pairs: 5, train: 3, dev: 1, test: 1, sources: 5, shared_sources: 0, images: 10 });
    expect(await readFile(join(artifact.path, 'pairs.jsonl'))).toEqual(await readFile(join(folder, 'pairs.jsonl')));
    expect(await readFile(join(artifact.path, 'images/edited/p2.png'))).toEqual(png(8, 8));
    expect(await readdir(await store.partial('dataset', artifact.key))).toEqual([]);
  });

  it('is reused under the same key from any folder, and gets another key when one image changes', async () => {
    const first = await check(await writeDataset(makePairs(3)));
    const copy = await writeDataset(makePairs(3));
    expect(await check(copy)).toMatchObject({ key: first.key, reused: true });
    await writeFile(join(copy, 'images/edited/p0.png'), png(9, 8));
    const other = await check(copy);
    expect(other.reused).toBe(false);
    expect(other.key).not.toBe(first.key);
  });
});

describe('images that are in a dataset of the store', () => {
  it.each([
    ['were decoded when it was made, and are not decoded again', 3, true],
    ['are decoded if it was made before images were', 2, false],
  ])('%s', async (_name, layout, isTrusted) => {
    const broken = pngOf(64, 64, deflateSync(Buffer.alloc(99)));
    const from = await temporaryFolder();
    await mkdir(join(from, 'images'));
    await writeFile(join(from, 'images/a.png'), broken);
    const ingredients = { content: 'another', layout };
    const key = artifactKey('dataset', ingredients);
    await store.publish({ stage: 'dataset', key, ingredients, from, counts: {}, cost: {}, run: 'r', attempts: [] });
    const folder = await writeDataset(makePairs(1));
    await writeFile(join(folder, 'images/edited/p0.png'), broken);
    const checked = isTrusted ? (await check(folder)).counts : await rejection(check(folder));
    expect(checked).toMatchObject(isTrusted ? { images: 6 } : { type: 'DataInvalid' });
  });
});

describe('a cancelled check', () => {
  it('stops between two images', async () => {
    const folder = await writeDataset(makePairs(30));
    const { env, heartbeats } = activityEnvironment();
    env.on('heartbeat', () => env.cancel());
    const activities = createDatasetActivities({ store });
    const checked = inActivity(env, () => activities.checkDataset({ plan: makePlan(folder) }));
    expect(await rejection(checked)).toBeInstanceOf(CancelledFailure);
    expect(heartbeats.length).toBeLessThan(10);
  });
});

describe('a check that takes long', () => {
  /** A store that takes its time for hashing, by a clock that the test turns. */
  class SlowStore extends ArtifactStore {
    readonly during: (work: string) => Promise<void>;
    constructor(root: string, during: (work: string) => Promise<void>) {
      super(root);
      this.during = during;
    }
    override async find(...given: Parameters<ArtifactStore['find']>) {
      await this.during('find');
      return super.find(...given);
    }
    override async publish(publication: Publication) {
      await this.during('publish');
      return super.publish(publication);
    }
  }

  it('says that it lives while it verifies and publishes for ten minutes each', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { env, heartbeats } = activityEnvironment();
      const beats: Record<string, number> = {};
      const slow = new SlowStore(store.root, async (work) => {
        const before = heartbeats.length;
        await vi.advanceTimersByTimeAsync(600_000);
        beats[work] = heartbeats.length - before;
      });
      const activities = createDatasetActivities({ store: slow });
      const folder = await writeDataset(makePairs(1));
      await inActivity(env, () => activities.checkDataset({ plan: makePlan(folder) }));
      expect(beats).toEqual({ find: 60, publish: 60 });
      expect(heartbeats.at(-1)).toEqual({ state: 'publishing' });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('publishes nothing when it is cancelled while it verifies', async () => {
    const { env } = activityEnvironment();
    const slow = new SlowStore(store.root, async () => env.cancel());
    const activities = createDatasetActivities({ store: slow });
    const folder = await writeDataset(makePairs(1));
    const checked = inActivity(env, () => activities.checkDataset({ plan: makePlan(folder) }));
    expect(await rejection(checked)).toBeInstanceOf(CancelledFailure);
    expect(await readdir(store.root)).toEqual([]);
  });

  it('leaves the event loop free while ten thousand rows are read', async () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => JSON.stringify({ ...makePairs(1)[0], id: `p${index}` }));
    let turns = 0;
    const turning = setInterval(() => (turns += 1), 0);
    const { pairs } = await readPairs(lines.join('\n'));
    clearInterval(turning);
    expect(pairs).toHaveLength(10_000);
    expect(turns).toBeGreaterThanOrEqual(5);
  });
});

describe('a bad dataset is refused and nothing is written', () => {
  it('lists every fault at once, with line, field, what was expected and what was found', async () => {
    const pairs = makePairs(4);
    const rows: unknown[] = pairs.map((pair, index) => {
      if (index === 0) return { ...pair, mos: { ...pair.mos, overall: 6 } };
      if (index === 1) return { ...pair, id: 'p2' };
      if (index === 2) return { ...pair, instruction: undefined };
      return pair;
    });
    const folder = await writeDataset(pairs, [...rows, { ...pairs[3], id: 'p3' }]);
    await rm(join(folder, 'images/edited/p3.png'));
    const message = await refusal(folder);
    expect(message).toContain('4 faults');
    expect(message).toContain('pairs.jsonl line 1, mos.overall: expected number to be <=5, got 6');
    expect(message).toContain('pairs.jsonl line 3, instruction: expected string, got nothing');
    expect(message).toContain(
      'pairs.jsonl line 7, id: expected one of its own, got "p3", which pairs.jsonl line 4 has',
    );
    expect(message).toContain(
      'pairs.jsonl line 4, edited_image: expected a file, got "images/edited/p3.png", which does not exist',
    );
  });

  it('names a source that two splits share, once', async () => {
    const pairs = makePairs(3).map((pair) =>
      ['p0', 'p3', 'p4'].includes(pair.id) ? { ...pair, source_id: 'shared' } : pair,
    );
    const message = await refusal(await writeDataset(pairs));
    expect(message).toContain('1 fault');
    expect(message).toContain(
      'line 4, split: expected "train", got "dev": source "shared" is in "train" at pairs.jsonl line 1, and a source belongs to one split (unless recipe.dataset.shared_sources is report)',
    );
  });

  it('names a split without rows', async () => {
    const message = await refusal(await writeDataset(makePairs(2).slice(0, 3)));
    expect(message).toContain('expected rows in split "test", got none');
  });

  it('shows twenty faults, counts the rest and writes them all beside the run', async () => {
    const pairs = makePairs(30);
    const error = await rejection(check(await writeDataset(pairs, [...pairs, ...pairs.slice(0, 27)])));
    const message = error instanceof Error ? error.message : '';
    expect(message.split('\n')).toHaveLength(23);
    expect(message).toContain('27 faults');
    expect(message).toContain('… and 7 more');
    const [, path = ''] = /all of them: (.*)$/.exec(message) ?? [];
    const listed = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(listed).toHaveLength(27);
    expect(listed[26]).toBe(
      'pairs.jsonl line 59, id: expected one of its own, got "p26", which pairs.jsonl line 27 has',
    );
  });

  it.each([
    ['a path with ".."', 'images/../secret.png', 'expected a path below "images/" without ".."'],
    ['an absolute path', '/etc/hostname', 'expected a path below "images/" without ".."'],
    ['a path outside images/', 'manifest.json', 'expected a path below "images/" without ".."'],
    ['a folder', 'images/src', '"images/src": a folder'],
  ])('refuses %s', async (_name, path, sentence) => {
    const pairs = makePairs(1);
    const folder = await writeDataset(pairs, [{ ...pairs[0], edited_image: path }, ...pairs.slice(1)]);
    expect(await refusal(folder)).toContain(sentence);
  });

  it('refuses a link that leads out of the dataset', async () => {
    const folder = await writeDataset(makePairs(1));
    await rm(join(folder, 'images/edited/p0.png'));
    await symlink('/etc/hostname', join(folder, 'images/edited/p0.png'));
    expect(await refusal(folder)).toContain('which leads to "/etc/hostname"');
  });

  it('refuses an image that is cut off', async () => {
    const folder = await writeDataset(makePairs(1));
    await writeFile(join(folder, 'images/edited/p0.png'), png(64, 64).subarray(0, 60));
    expect(await refusal(folder)).toContain('a PNG that is cut off or damaged');
  });

  it('refuses images whose container is whole and whose pixels are not, and bombs, each with its row and field', async () => {
    const folder = await writeDataset(makePairs(3));
    await writeFile(join(folder, 'images/edited/p0.png'), pngOf(64, 64, deflateSync(Buffer.alloc(99))));
    await writeFile(join(folder, 'images/src/s1.png'), pngOf(60_000, 60_000, deflateSync(Buffer.alloc(1_000_000))));
    const message = await refusal(folder);
    expect(message).toContain('2 faults');
    expect(message).toContain(
      'pairs.jsonl line 1, edited_image: expected an image, got "images/edited/p0.png", a PNG that is cut off or damaged',
    );
    expect(message).toContain(
      'pairs.jsonl line 2, source_image: expected an image, got "images/src/s1.png", a PNG of 60000 x 60000 pixels, more than 50 million',
    );
  });

  it('says what is missing when the folder is no dataset', async () => {
    expect(await refusal('/nonexistent')).toContain(
      'recipe.dataset: expected a folder with pairs.jsonl, train.txt or *.parquet files, got "/nonexistent", which has none',
    );
  });
});
