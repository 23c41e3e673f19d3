/** A store with runs and artifacts of a chosen age, and a Temporal that says what became of the runs. */
import { access, mkdir, mkdtemp, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { collectGarbage } from '../../../activities/keeping/gc.ts';
import { artifactKey, ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { attemptName, type JobStage, paths, type Stage } from '../../../domain/names.ts';
import type { GcReport, GcRequest } from '../../../domain/keeping/retention.ts';
import { inActivity, makePlan } from '../fixtures.ts';

const dayMs = 86_400_000;
/** More than any disk has: all that nobody needs goes. */
export const everything: GcRequest = { apply: true, freeBytes: 2 ** 60, resumableDays: 7, scoringDays: 60 };

export const isThere = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

export class World {
  readonly store: ArtifactStore;
  /** Temporal's word on each run, and how many days ago it ended. */
  readonly runs: Record<string, { status: string; ended?: number; type?: string }> = {};
  /** What runs were begun with that have no plan in the store. */
  readonly inputs: Record<string, object> = {};
  readonly nights = new Set<string>();

  constructor(root: string) {
    this.store = new ArtifactStore(root);
  }

  environment(): MockActivityEnvironment {
    return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client: this.#client() });
  }

  async gc(request: Partial<GcRequest> = {}, between?: () => Promise<void>): Promise<GcReport> {
    return inActivity(this.environment(), () => collectGarbage(this.store, { ...everything, ...request }, between));
  }

  /** A run that began `days` ago. */
  async run(run: string, days: number, status: string, more: object = {}): Promise<void> {
    this.runs[run] = status === 'RUNNING' ? { status } : { status, ended: days };
    const folder = paths.run(this.store.root, run);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'plan.json'), JSON.stringify({ ...makePlan('/data', {}, run), ...more }));
    await age(join(folder, 'plan.json'), days);
  }

  /** An artifact that was last used `days` ago. Its key. */
  async artifact(stage: Stage, ingredients: Record<string, unknown>, days: number, bytes = 10): Promise<string> {
    const key = artifactKey(stage, ingredients);
    const from = await mkdtemp(join(this.store.root, 'from-'));
    await writeFile(join(from, 'file'), 'x'.repeat(bytes));
    await this.store.publish({ stage, key, ingredients, from, counts: {}, cost: {}, run: 'r', attempts: [] });
    await age(paths.artifactManifest(this.store.root, stage, key), days);
    return key;
  }

  /** Scores, or an evaluation, that were written `days` ago. Their folder. */
  async scoring(
    id: string,
    days: number,
    madeFrom: { pairs: string; predictions?: string } = { pairs: artifactKey('prompts-pairs', { id }) },
  ): Promise<string> {
    const kind = id.startsWith('evaluate-') ? paths.evaluations : paths.scores;
    const folder = kind(this.store.root, id);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'made-from.json'), JSON.stringify({ schema: 1, ...madeFrom }));
    await writeFile(join(folder, 'report.html'), 'x'.repeat(300));
    await age(folder, days);
    return folder;
  }

  /** An attempt that is over, with these checkpoints and an output. Its folder. */
  async attempt(run: string, stage: JobStage, attempt: number, checkpoints: number[], days = 30): Promise<string> {
    const folder = paths.attempt(this.store.root, run, stage, attempt);
    await mkdir(join(folder, 'output'), { recursive: true });
    await writeFile(join(folder, 'output/model'), 'x'.repeat(50));
    const files = { name: attemptName(run, stage, attempt), resume_from: null };
    await writeFile(join(folder, 'attempt.json'), JSON.stringify(files));
    await writeFile(join(folder, 'outcome.json'), '{}');
    await writeFile(join(folder, 'job.log'), 'log');
    for (const step of checkpoints) {
      const checkpoint = join(folder, `checkpoints/checkpoint-${step}`);
      await mkdir(checkpoint, { recursive: true });
      await writeFile(join(checkpoint, 'state'), 'x'.repeat(100));
      await age(checkpoint, days);
    }
    for (const name of checkpoints.length > 0 ? ['output', 'checkpoints'] : ['output'])
      await age(join(folder, name), days);
    return folder;
  }

  has(stage: Stage, ingredients: Record<string, unknown>): Promise<boolean> {
    return this.store.peek(stage, artifactKey(stage, ingredients)).then((found) => found !== undefined);
  }

  #client(): Client {
    const describe = async (run: string) => {
      const known = this.runs[run];
      if (known === undefined) throw new WorkflowNotFoundError('not found', run, undefined);
      const { status, ended } = known;
      return {
        status: { name: status },
        searchAttributes: {},
        raw: {},
        ...(ended === undefined ? {} : { closeTime: new Date(Date.now() - ended * dayMs) }),
      };
    };
    const describeSchedule = async ({ scheduleId }: { scheduleId: string }) => {
      if (!this.nights.has(scheduleId)) throw Object.assign(new Error('not found'), { code: 5 });
      return {};
    };
    const { runs, inputs } = this;
    async function* list({ query }: { query: string }) {
      for (const [workflowId, { status, type = 'trainCritic' }] of Object.entries(runs))
        if (status === 'RUNNING' && query.includes(`'${type}'`)) yield { workflowId, startTime: new Date() };
    }
    const getWorkflowExecutionHistory = async ({
      execution: { workflowId },
    }: {
      execution: { workflowId: string };
    }) => {
      if (runs[workflowId] === undefined) throw Object.assign(new Error('not found'), { code: 5 });
      const payloads = [defaultPayloadConverter.toPayload(inputs[workflowId] ?? {})];
      return { history: { events: [{ workflowExecutionStartedEventAttributes: { input: { payloads } } }] } };
    };
    const own = {
      workflow: { getHandle: (run: string) => ({ describe: () => describe(run) }), list },
      workflowService: { describeSchedule, getWorkflowExecutionHistory },
      options: { namespace: 'default' },
      withAbortSignal: (_: unknown, work: () => unknown) => work(),
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
    return own as unknown as Client;
  }
}

export async function age(path: string, days: number): Promise<void> {
  const then = new Date(Date.now() - days * dayMs);
  await utimes(path, then, then);
}
