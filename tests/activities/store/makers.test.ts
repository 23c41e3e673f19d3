import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, it } from 'vitest';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createLookUpActivities } from '../../../activities/store/look-up.ts';
import { claimArtifact, freeArtifact, makerOf } from '../../../activities/store/makers.ts';
import { inActivity, rejection, temporaryFolder } from '../fixtures.ts';

const wanted = { stage: 'sft', key: 'k' } as const;
const ingredients = { mix: 'm' };
const open = async () => true;
const over = async () => false;

let root: string;
let store: ArtifactStore;
/** Temporal's status of each run; absent: it knows no such run. */
let status: Record<string, string>;
beforeEach(async () => {
  root = await temporaryFolder();
  store = new ArtifactStore(root);
  status = { a: 'RUNNING', b: 'RUNNING' };
});

function activities() {
  const getHandle = (run: string) => ({
    describe: async () => {
      if (status[run] === undefined) throw new WorkflowNotFoundError('not found', run, undefined);
      return { status: { name: status[run] } };
    },
    query: async () => ({ stages: [], questions: [] }),
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = {
    workflow: { getHandle },
    withDeadline: (_: unknown, work: () => unknown) => work(),
    withAbortSignal: (_: unknown, work: () => unknown) => work(),
  } as unknown as Client;
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const made = createLookUpActivities({ store });
  return {
    env,
    lookUp: async (run?: string) =>
      inActivity(env, () => made.lookUpArtifact({ stage: 'sft', ingredients, ...(run === undefined ? {} : { run }) })),
    wait: async (key: string, heldBy: string) =>
      inActivity(env, () => made.awaitArtifact({ stage: 'sft', key, heldBy })),
  };
}

async function publish(key: string) {
  const from = await mkdtemp(join(root, 'from-'));
  await writeFile(join(from, 'model'), 'weights');
  await store.publish({ stage: 'sft', key, ingredients, from, counts: {}, cost: {}, run: 'a', attempts: [] });
}

describe('who makes an artifact', () => {
  it('is the first run that asks, and it may ask again', async () => {
    expect(await claimArtifact(root, wanted, 'a', open)).toBe('a');
    expect(await claimArtifact(root, wanted, 'b', open)).toBe('a');
    expect(await claimArtifact(root, wanted, 'a', open)).toBe('a');
    expect(await claimArtifact(root, { ...wanted, key: 'other' }, 'b', open)).toBe('b');
  });

  it('is the next run once the first one is over', async () => {
    await claimArtifact(root, wanted, 'a', open);
    expect(await claimArtifact(root, wanted, 'b', over)).toBe('b');
    // The first one, reset by a person, finds that it has lost it.
    expect(await claimArtifact(root, wanted, 'a', open)).toBe('b');
    await freeArtifact(root, wanted, 'a');
    expect(await makerOf(root, wanted)).toBe('b');
  });

  it('is nobody after it was freed, twice', async () => {
    await claimArtifact(root, wanted, 'a', open);
    await freeArtifact(root, wanted, 'a');
    await freeArtifact(root, wanted, 'a');
    expect(await makerOf(root, wanted)).toBeUndefined();
    expect(await readdir(join(root, 'makers'))).toEqual([]);
    expect(await claimArtifact(root, wanted, 'b', open)).toBe('b');
  });

  it('is the next who asks where a process died while it freed or claimed it', async () => {
    // Killed between unlink and rmdir; killed before the rename.
    await mkdir(join(root, 'makers/sft-k'), { recursive: true });
    await mkdir(join(root, 'makers/.5a7f9c9e-0000-4000-8000-000000000000'));
    expect(await claimArtifact(root, wanted, 'b', open)).toBe('b');
  });

  it.each([
    ['that nobody has', undefined],
    ['of a run that is over', 'gone'],
  ])('is one of eight processes that ask for an artifact %s at once', { timeout: 60_000 }, async (_, before) => {
    if (before !== undefined) await claimArtifact(root, wanted, before, open);
    const runs = Array.from({ length: 8 }, (_one, index) => `run-${index}`);
    const program = fileURLToPath(new URL('maker-child.ts', import.meta.url));
    const children = runs.map((run) => spawn(process.execPath, [program, root, run, runs.join(',')]));
    const lines = children.map(({ stdout }) => createInterface({ input: stdout })[Symbol.asyncIterator]());
    for (const line of lines) expect((await line.next()).value).toBe('ready');
    for (const child of children) child.stdin.write('go\n');
    const answers = await Promise.all(lines.map(async (line) => String((await line.next()).value)));
    expect(new Set(answers).size).toBe(1);
    expect(runs).toContain(answers[0]);
    expect(await makerOf(root, wanted)).toBe(answers[0]);
    expect(await readdir(join(root, 'makers'))).toEqual(['sft-k']);
  });
});

describe('looking an artifact up', () => {
  it('claims it for the run, tells the next run who makes it, and gives it to both once it is there', async () => {
    const at = activities();
    const { key, ...mine } = await at.lookUp('a');
    expect(mine).toEqual({ claimed: true });
    expect(await at.lookUp('b')).toEqual({ key, heldBy: 'a' });
    const waiting = at.wait(key, 'a');
    await publish(key);
    await waiting;
    expect(await at.lookUp('b')).toMatchObject({ key, artifact: { key, reused: true } });
    expect(await at.lookUp('a')).toMatchObject({ key, artifact: { key } });
  });

  it('claims nothing for those who only ask', async () => {
    const at = activities();
    const { key } = await at.lookUp();
    expect(await makerOf(root, { stage: 'sft', key })).toBeUndefined();
  });

  it.each([
    ['is terminated', 'TERMINATED'],
    ['is not known to Temporal', undefined],
  ])('gives it to the run that waits when its maker %s', async (_, ended) => {
    const at = activities();
    const { key } = await at.lookUp('a');
    if (ended === undefined) delete status['a'];
    else status['a'] = ended;
    await at.wait(key, 'a');
    expect(await at.lookUp('b')).toEqual({ key, claimed: true });
  });

  it('waits no longer when its run is cancelled', async () => {
    const at = activities();
    const { key } = await at.lookUp('a');
    const waiting = rejection(at.wait(key, 'a'));
    at.env.cancel();
    expect(await waiting).toMatchObject({ name: 'CancelledFailure' });
  });
});
