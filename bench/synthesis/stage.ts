/**
 * One stage in a process of its own, so that its memory can be measured and it can be killed: `node stage.ts JSON`. Prints a
 * line of JSON: the artifact, and the most memory that the process ever had resident.
 */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import * as z from 'zod';
import { ArtifactStore } from '../../activities/store/artifact-store.ts';
import { createDatasetActivities } from '../../activities/dataset/dataset.ts';
import { createSynthesisActivities } from '../../activities/synthesis/synthesis.ts';
import { TeacherAccounts } from '../../activities/teacher/accounts.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { checkRecipe } from '../../domain/recipe.ts';

const inputSchema = z.object({
  store: z.string(),
  recipe: z.unknown(),
  /** Synthesis, if given; else the dataset check. */
  synthesis: z
    .object({ baseUrl: z.string(), keyFile: z.string(), dataset: z.custom<ArtifactRef>((value) => value !== null) })
    .optional(),
});

const input = inputSchema.parse(JSON.parse(process.argv[2] ?? ''));
const checked = checkRecipe(input.recipe);
if ('faults' in checked) throw new Error(checked.faults.join('\n'));
const plan = { schema: 1 as const, run: 'bench-1', recipe: checked.recipe };
const store = new ArtifactStore(input.store);
const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
const artifact = await environment.run(() => stage());
console.log(JSON.stringify({ artifact, peakMiB: process.resourceUsage().maxRSS / 1024 }));

function stage(): Promise<ArtifactRef> {
  if (input.synthesis === undefined) return createDatasetActivities({ store }).checkDataset({ plan });
  const { baseUrl, keyFile, dataset } = input.synthesis;
  const llm = new TeacherAccounts({ baseUrl, apiKeyFile: keyFile });
  return createSynthesisActivities({ store, llm }).synthesizeCritiques({ plan, dataset });
}
