/** A tokenising job: its work is counted in rows, and its output becomes the folder that SFT is given. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { createAttemptActivities } from '../../../activities/jobs/attempts.ts';
import { createCollectActivities } from '../../../activities/jobs/collecting.ts';
import type { JobDeps } from '../../../activities/jobs/deps.ts';
import { artifactKey, ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { JobOrder } from '../../../domain/jobs/job-spec.ts';
import { attemptName, paths } from '../../../domain/names.ts';
import { activityEnvironment, inActivity, sftOrder, temporaryFolder } from '../fixtures.ts';
import { FakeSlurm } from './fake-slurm.ts';
import { outcome, result, run } from './job-worker.ts';

const ingredients = { of: 'a test of tokens' };
const key = artifactKey('tokenize', ingredients);
const order: JobOrder = { ...sftOrder(run), stage: 'tokenize', ingredients, key, planned: { steps: null, rows: 12 } };
const name = attemptName(run, 'tokenize', 1);

let store: ArtifactStore;
let folder: string;

beforeEach(async () => {
  store = new ArtifactStore(await temporaryFolder());
  folder = paths.attempt(store.root, run, 'tokenize', 1);
  await mkdir(join(folder, 'claim'), { recursive: true });
});

/** What the job leaves: so many rows, and an output unless it is said to have none. */
async function leave(rows: number, hasOutput = true): Promise<void> {
  await writeFile(join(folder, 'metrics.jsonl'), `${JSON.stringify({ step: 1, time: 1, rows })}\n`);
  await writeFile(join(folder, 'outcome.json'), JSON.stringify({ ...outcome, name }));
  const done = { ...result, name, kind: 'tokenize', steps_planned: null, steps_done: null, first_step: null, rows };
  await writeFile(join(folder, 'result.json'), JSON.stringify(done));
  if (!hasOutput) return;
  await mkdir(join(folder, 'output/train'), { recursive: true });
  await writeFile(join(folder, 'output/dataset_dict.json'), '{"splits": ["train"]}');
  await writeFile(join(folder, 'output/train/data-00000-of-00001.arrow'), 'tokens');
}

async function collect() {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = { slurm: new FakeSlurm() } as unknown as JobDeps;
  const prepared = { name, directory: folder, attempt: 1 };
  const activities = createCollectActivities(deps);
  return inActivity(activityEnvironment().env, () => activities.collectAttempt({ order, prepared, jobId: '7' }));
}

it('is complete when it has all the records, and is published as the folder that SFT reads', async () => {
  await leave(12);
  expect(await collect()).toMatchObject({ jobClass: 'completed', progress: 12 });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const activities = createAttemptActivities({ store, job: {}, models: {} } as never);
  const published = await inActivity(activityEnvironment().env, () =>
    activities.publishJob({ order, attempt: 1, attempts: [name], gpuHours: 0, seconds: 60 }),
  );
  expect(published).toMatchObject({ stage: 'tokenize', counts: { steps: 0, rows: 12 } });
  expect((await readdir(join(published.path, 'tokenized'), { recursive: true })).toSorted()).toEqual([
    'dataset_dict.json',
    'train',
    'train/data-00000-of-00001.arrow',
  ]);
});

it.each<[string, number, boolean, string]>([
  ['too few records', 11, true, '11 of 12 rows were made'],
  ['no output', 12, false, 'the output is missing'],
])('with %s is not complete', async (_what, rows, hasOutput, evidence) => {
  await leave(rows, hasOutput);
  expect(await collect()).toMatchObject({ jobClass: 'postcondition-failed', evidence });
});
