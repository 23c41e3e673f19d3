/** Claims of runs that rest: another run that needs the artifact goes first, and the one that rested finds that out before it goes on. */
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAttemptActivities } from '../../../activities/jobs/attempts.ts';
import { artifactKey, ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createLookUpActivities } from '../../../activities/store/look-up.ts';
import { makerOf } from '../../../activities/store/makers.ts';
import { patienceMs } from '../../../activities/store/still-makes.ts';
import type { OperatorQuestion, RunView, StageView } from '../../../domain/jobs/progress.ts';
import { firstAttempt } from '../../../domain/jobs/job-spec.ts';
import { inActivity, sftOrder, temporaryFolder } from '../fixtures.ts';

const order = sftOrder('a');
const ingredients = { x: 1 };
const key = artifactKey('sft', ingredients);
const long = () => new Date(Date.now() - patienceMs - 1000).toISOString();
const question: OperatorQuestion = { id: 'sft-1', stage: 'sft', sentence: 's', logTail: '', commands: [] };

let store: ArtifactStore;
/** What runs say of themselves; undefined: no worker answers for it. */
let views: Record<string, Partial<RunView> | undefined>;
beforeEach(async () => {
  store = new ArtifactStore(await temporaryFolder());
  views = { a: {}, b: {} };
});

const line = (status: StageView['status']): RunView['stages'] => [{ stage: 'sft', status }];

function asked<T>(work: () => Promise<T>): Promise<T> {
  const getHandle = (run: string) => ({
    describe: async () => ({ status: { name: 'RUNNING' } }),
    query: async () => {
      if (views[run] === undefined) throw new Error('no worker');
      return { run, recipe: 'r', status: 'running', stages: line('running'), questions: [], ...views[run] };
    },
  });
  const withDeadline = (_: unknown, own: () => unknown) => own();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = { workflow: { getHandle }, withDeadline, withAbortSignal: withDeadline } as unknown as Client;
  return inActivity(new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client }), work);
}
const lookUp = (run: string) =>
  asked(() => createLookUpActivities({ store }).lookUpArtifact({ stage: 'sft', ingredients, run }));
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
const activities = () => createAttemptActivities({ store, job: {}, models: {} } as never);
const prepare = (run: string, attempt: number) =>
  asked(() =>
    activities().prepareAttempt({ order: { ...order, run, key, ingredients }, attempt, changes: firstAttempt }),
  );

describe('the claim of a run', () => {
  it.each<[string, Partial<RunView> | undefined, boolean]>([
    ['works at it', {}, true],
    ['answers nothing', undefined, true],
    ['asks about it for long', { questions: [question], waitingSince: long() }, false],
    ['asks about it for a minute', { questions: [question], waitingSince: new Date().toISOString() }, true],
    ['asks about something else', { questions: [{ ...question, stage: 'grpo' }], waitingSince: long() }, true],
    ['waits for Slurm', { stages: line('waiting'), waitingSince: long() }, true],
    ['is paused for long', { stages: line('paused'), paused: { since: long() } }, false],
    ['is paused, and its job still saves', { stages: line('running'), paused: { since: long() } }, true],
  ])('that %s', async (_how, view, holds) => {
    expect(await lookUp('a')).toEqual({ key, claimed: true });
    views['a'] = view;
    expect(await lookUp('b')).toEqual(holds ? { key, heldBy: 'a' } : { key, claimed: true });
  });
});

describe('a run that rested', () => {
  it('prepares nothing while another one makes its artifact, and takes that when it is there', async () => {
    await lookUp('a');
    views['a'] = { stages: line('paused'), paused: { since: long() } };
    await lookUp('b');
    expect(await prepare('a', 2)).toMatchObject({ attempt: 2, elsewhere: { heldBy: 'b' } });
    expect(await prepare('b', 1)).not.toHaveProperty('elsewhere');
    const from = await temporaryFolder();
    await store.publish({ stage: 'sft', key, ingredients, from, counts: {}, cost: {}, run: 'b', attempts: [] });
    await asked(() => createLookUpActivities({ store }).freeArtifact({ stage: 'sft', key, run: 'b' }));
    expect(await prepare('a', 2)).toMatchObject({ elsewhere: { artifact: { key, reused: true } } });
    expect(await makerOf(store.root, { stage: 'sft', key })).toBeUndefined();
  });

  it('goes on itself if the other one has let go, and has the claim again', async () => {
    await lookUp('a');
    views['a'] = { stages: line('paused'), paused: { since: long() } };
    await lookUp('b');
    await asked(() => createLookUpActivities({ store }).freeArtifact({ stage: 'sft', key, run: 'b' }));
    expect(await prepare('a', 2)).not.toHaveProperty('elsewhere');
    expect(await makerOf(store.root, { stage: 'sft', key })).toBe('a');
  });
});
