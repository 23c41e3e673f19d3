/** Fixtures of the report: a store with everything that a run has, and the page written from it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { paths } from '../../../domain/names.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createEvaluationActivities } from '../../../activities/evaluation/evaluation.ts';
import type { ReportInput } from '../../../activities/report/data.ts';
import { createReportActivities, type WrittenReport } from '../../../activities/report/report.ts';
import {
  evaluationPairs,
  evaluationPlan,
  predictionsOf,
  publishArtifact,
  publishDataset,
  publishGrpo,
  publishPredictions,
} from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity } from '../fixtures.ts';

/** Ten sources with two edits in each split but dev. */
export const reportPairs = evaluationPairs(10, 2);
const hostile = '</think><script>alert(1)</script><img src=x onerror="alert(2)">&amp;';

/** Writes the report of a run that has what `input` names, and nothing else. */
export async function writeReport(
  store: ArtifactStore,
  input: Partial<ReportInput>,
): Promise<WrittenReport & { page: string }> {
  const { env } = activityEnvironment();
  const whole = {
    plan: evaluationPlan('run-1'),
    artifacts: {},
    gate: undefined,
    jobs: [],
    startedAt: '2026-11-23T19:00:00Z',
  };
  const merged = { ...whole, ...input };
  const folder = paths.run(store.root, merged.plan.run);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'plan.json'), JSON.stringify(merged.plan));
  const report = await inActivity(env, () =>
    createReportActivities({ store, pagesUrl: 'http://pages', runsUrl: 'http://temporal/workflows' }).writeReport(
      merged,
    ),
  );
  return { ...report, page: await readFile(report.path, 'utf8') };
}

/** Everything a run has, with answers that try to get markup into the page. */
export async function wholeRun(store: ArtifactStore, uncertain: unknown[] = []): Promise<Partial<ReportInput>> {
  const rows = (noise: number, seed: number) =>
    predictionsOf(reportPairs, noise, { seed, words: hostile, unreadableEvery: 19 });
  const steps = Array.from({ length: 12 }, (_, index) => ({
    step: index + 1,
    attempt: index < 7 ? 1 : 2,
    reward: 1 + index / 20,
    response_length: 30 + index,
  }));
  const artifacts: ReportInput['artifacts'] = {
    dataset: await publishDataset(store, reportPairs, true),
    grpo: await publishGrpo(store, 'grpo', steps),
    'predict-base': await publishPredictions(store, 'base', rows(8, 1)),
    'predict-sft': await publishPredictions(store, 'sft', rows(2, 2)),
    'predict-grpo': await publishPredictions(store, 'grpo', rows(1, 3)),
    synthesis: await publishArtifact(store, 'synthesis', {
      files: {
        'card.json': JSON.stringify({
          teacher: { model_asked: 'gpt', models_answering: { 'gpt-1': 9 } },
          answers_by_api: { chat: 2, batch: 8 },
          usd_saved_by_batch: 0.25,
          prompt: { version: 'teacher-v1' },
          rows: 10,
          kept: 9,
          uncertain_requests: uncertain,
        }),
      },
      cost: { usd: 0.5, input_tokens: 1000, output_tokens: 200 },
      run: 'an-earlier-run',
    }),
  };
  const { env } = activityEnvironment();
  const plan = evaluationPlan('test-1');
  artifacts.evaluation = await inActivity(env, () =>
    createEvaluationActivities({ store }).evaluatePredictions({ plan, artifacts }),
  );
  return {
    plan,
    artifacts,
    gate: { passed: true, outcome: 'promote', reasons: ['MainScore 0.700 ≥ 0.2'], mainScore: 0.7, champion: null },
    jobs: [{ stage: 'grpo', attempt: 2, jobId: '4711', state: 'COMPLETED', seconds: 3725, gpuHours: 1.0347 }],
  };
}
