/** A process that runs a synthesis and may be killed: `node synthesis-child.ts <JSON of store, folder, baseUrl, keyFile, requestsPerBatch>`; by batches if the last is given. */
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createDatasetActivities } from '../../../activities/dataset/dataset.ts';
import { createSynthesisActivities } from '../../../activities/synthesis/synthesis.ts';
import { TeacherAccounts } from '../../../activities/teacher/accounts.ts';
import * as z from 'zod';
import { activityEnvironment, inActivity, makePlan } from '../fixtures.ts';
import { batchSettings, pace } from './synthesis-fixtures.ts';

const input = z
  .object({
    store: z.string(),
    folder: z.string(),
    baseUrl: z.string(),
    keyFile: z.string(),
    requestsPerBatch: z.int().optional(),
  })
  .parse(JSON.parse(process.argv[2] ?? ''));
const store = new ArtifactStore(input.store);
const { requestsPerBatch } = input;
const settings =
  requestsPerBatch === undefined ? { concurrency: 4 } : batchSettings({ requests_per_batch: requestsPerBatch });
const plan = makePlan(input.folder, settings);
const dataset = await inActivity(activityEnvironment().env, () =>
  createDatasetActivities({ store }).checkDataset({ plan }),
);
const llm = new TeacherAccounts({ baseUrl: input.baseUrl, apiKeyFile: input.keyFile });
const stage = createSynthesisActivities({ store, llm }, pace);
await inActivity(activityEnvironment().env, () => stage.synthesizeCritiques({ plan, dataset }));
