/** Fixtures of the synthesis tests: a published dataset, a scripted teacher, a key file, and the stage run as an activity. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createDatasetActivities } from '../../../activities/dataset/dataset.ts';
import { TeacherAccounts } from '../../../activities/teacher/accounts.ts';
import { createSynthesisActivities } from '../../../activities/synthesis/synthesis.ts';
import { critiqueRowSchema } from '../../../activities/synthesis/output.ts';
import type { ArtifactRef } from '../../../domain/manifest.ts';
import type { SynthesisSettings } from '../../../domain/recipe.ts';
import { activityEnvironment, inActivity, makePairs, makePlan, temporaryFolder, writeDataset } from '../fixtures.ts';
import { ScriptedTeacher } from '../teacher/scripted-teacher.ts';

/** Settings of a synthesis by batches that looks at them every few milliseconds. */
export function batchSettings(batch: Partial<SynthesisSettings['batch']> = {}): Partial<SynthesisSettings> {
  const usual = { queued_tokens: 1e9, requests_per_batch: 50_000, shard_bytes: 2e8, completion_window: '24h' as const };
  return { api: 'batch', batch: { ...usual, poll_seconds: 0.02, ...batch } };
}

/** Patience of a test's stage. */
export const pace = { retryBaseMs: 5, denyMs: 50 };

export class SynthesisBench {
  readonly store: ArtifactStore;
  readonly teacher: ScriptedTeacher;
  readonly dataset: ArtifactRef;
  readonly folder: string;
  readonly keyFile: string;
  /** As one worker has them. */
  readonly llm: TeacherAccounts;

  private constructor(parts: Pick<SynthesisBench, 'store' | 'teacher' | 'dataset' | 'folder' | 'keyFile'>) {
    this.store = parts.store;
    this.teacher = parts.teacher;
    this.dataset = parts.dataset;
    this.folder = parts.folder;
    this.keyFile = parts.keyFile;
    this.llm = new TeacherAccounts({ baseUrl: parts.teacher.baseUrl, apiKeyFile: parts.keyFile });
  }

  static async make(rows: number): Promise<SynthesisBench> {
    const store = new ArtifactStore(await temporaryFolder());
    const folder = await writeDataset(makePairs(rows));
    const datasets = createDatasetActivities({ store });
    const dataset = await inActivity(activityEnvironment().env, () =>
      datasets.checkDataset({ plan: makePlan(folder) }),
    );
    const keyFile = join(await temporaryFolder(), 'key');
    await writeFile(keyFile, 'test-key\n', { mode: 0o600 });
    return new SynthesisBench({ store, teacher: await ScriptedTeacher.start(), dataset, folder, keyFile });
  }

  /** Runs the stage once, with fast backoff. `baseUrl`: another address than the scripted teacher's. */
  run(settings: Partial<SynthesisSettings> = {}, environment = activityEnvironment()): Promise<ArtifactRef> {
    const stage = createSynthesisActivities({ store: this.store, llm: this.llm }, pace);
    const plan = makePlan(this.folder, settings);
    return inActivity(environment.env, () => stage.synthesizeCritiques({ plan, dataset: this.dataset }));
  }

  async keptIds(artifact: ArtifactRef): Promise<string[]> {
    const rows = await readJsonLines(join(artifact.path, 'critiques.jsonl'));
    return rows.map((row) => critiqueRowSchema.parse(row).id);
  }

  /** Folder of the one log of answers in the store. */
  async answersFolder(): Promise<string> {
    const root = join(this.store.root, 'partial', 'synthesis');
    for (const key of await readdir(root)) {
      if ((await readdir(join(root, key))).includes('answers.jsonl')) return join(root, key);
    }
    throw new Error('there is no log');
  }

  /** Ids p0 … p<n-1>, the train split in the dataset's order. */
  trainIds(): string[] {
    return Array.from({ length: this.dataset.counts['train'] ?? 0 }, (_, index) => `p${index}`);
  }

  async card(artifact: ArtifactRef) {
    return cardSchema.parse(JSON.parse(await readFile(join(artifact.path, 'card.json'), 'utf8')));
  }
}

const cardSchema = z.looseObject({
  usd: z.number(),
  rejected_answers_by_reason: z.record(z.string(), z.number()),
  requests: z.record(z.string(), z.number()),
  uncertain_requests: z.array(z.object({ id: z.string(), request: z.string(), usd: z.number() })),
  teacher: z.looseObject({ models_answering: z.record(z.string(), z.number()) }),
});

export async function readJsonLines(path: string): Promise<unknown[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line): unknown => JSON.parse(line));
}
