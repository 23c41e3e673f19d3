/** A process that runs a synthesis and may be killed: `node synthesis-child.ts <JSON of store, folder, baseUrl, keyFile>`. */
import { ArtifactStore } from '../../activities/artifact-store.ts';
import { createDatasetActivities } from '../../activities/dataset.ts';
import { createSynthesisActivities } from '../../activities/synthesis.ts';
import * as z from 'zod';
import { activityEnvironment, inActivity, makePlan } from './fixtures.ts';

const input = z
  .object({ store: z.string(), folder: z.string(), baseUrl: z.string(), keyFile: z.string() })
  .parse(JSON.parse(process.argv[2] ?? ''));
const store = new ArtifactStore(input.store);
const plan = makePlan(input.folder, { concurrency: 4 });
const dataset = await inActivity(activityEnvironment().env, () =>
  createDatasetActivities({ store }).checkDataset({ plan }),
);
const stage = createSynthesisActivities({ store, llm: { baseUrl: input.baseUrl, apiKeyFile: input.keyFile } });
await inActivity(activityEnvironment().env, () => stage.synthesizeCritiques({ plan, dataset }));
