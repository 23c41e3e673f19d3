import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { claimStore } from '../../../activities/store/own-cluster.ts';
import { temporaryFolder } from '../fixtures.ts';
import { effectsOf, killedAt, lived, useVirtualTime } from '../jobs/moments.ts';

vi.mock('node:fs/promises', async (original) => (await import('../jobs/moments.ts')).watchedFiles(await original()));
vi.mock('node:timers/promises', async () => (await import('../jobs/moments.ts')).virtualTimers);

useVirtualTime();

let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
});

const claim = (cluster?: string) => lived(() => claimStore(root, cluster));

describe('a store', () => {
  it.each([undefined, 'a'])('is that of the first cluster that comes, and stays so (%s)', async (first) => {
    await claim(first);
    await claim(first);
    const own = join(root, 'cluster');
    await expect(claim('b')).rejects.toThrow(
      `CRITIC_STORE: expected a store of cluster "b" (CRITIC_CLUSTER), got "${root}", which is that of ${first === undefined ? 'the cluster without a name' : 'cluster "a"'}`,
    );
    await expect(claim(first === undefined ? 'a' : undefined)).rejects.toThrow(`remove "${own}"`);
    expect(JSON.parse(await readFile(join(own, 'owner.json'), 'utf8'))).toEqual({ schema: 1, cluster: first ?? null });
    await rm(own, { recursive: true });
    await claim('b');
  });

  it('is given to one of several that come at once', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const answers = await lived(() => Promise.allSettled(names.map((name) => claimStore(root, name))));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await readdir(root)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is one cluster’s, whenever its worker is killed', async () => {
    const effects = await effectsOf(() => claimStore(root, 'a'));
    expect(effects.length).toBeGreaterThan(3);
    for (const moment of effects.keys()) {
      await rm(join(root, 'cluster'), { recursive: true, force: true });
      await killedAt(moment, () => claimStore(root, 'a'));
      await claim('a');
      await expect(claim('b')).rejects.toThrow('that of cluster "a"');
    }
  });

  it('with a file that is none of ours is refused by its path', async () => {
    await mkdir(join(root, 'cluster'));
    await writeFile(join(root, 'cluster/owner.json'), '{"cluster": "a"}');
    await expect(claim('a')).rejects.toThrow(`"${join(root, 'cluster/owner.json')}": expected {"schema": 1`);
  });
});
