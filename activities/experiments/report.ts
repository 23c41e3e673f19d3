/**
 * The report of an experiment: `report.json` (all numbers), `report.html` (self-contained) and `summary.txt` in `experiments/<id>/`. Each is replaced
 * atomically, and the page comes last: after a kill -9 writing them again gives whole files, and the same numbers from the same artifacts.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { cut } from '../../domain/errors.ts';
import { isSafeName, paths, type Stage } from '../../domain/names.ts';
import { offLoop } from '../evaluation/off-loop.ts';
import { refuse } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import { artifactsOf } from '../nights/digest.ts';
import type { StoreDeps } from '../store/deps.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import type { ExperimentReport, ExperimentReportInput } from './data.ts';
import { type Gathered, gatherMember } from './gather.ts';
import { renderExperiment } from './page.ts';
import { summarize } from './summary.ts';

/** It travels in the experiment's result. */
const maxSummary = 8000;

export function createExperimentActivities({ store }: StoreDeps) {
  return {
    /** Folders of the artifacts of a run that has just ended. Throws if no worker answers for it. Reads only. */
    async findRunArtifacts({ run }: { run: string }): Promise<Partial<Record<Stage, string>>> {
      const found = Object.entries(await artifactsOf(run));
      return Object.fromEntries(found.filter(([, path]) => path !== undefined));
    },

    /** Throws if the store does not answer. */
    async writeExperimentReport(input: ExperimentReportInput): Promise<{ path: string; summary: string }> {
      const { id } = input;
      if (!isSafeName(id, 100)) throw refuse('ConfigInvalid', `id: expected the id of an experiment, got "${cut(id)}"`);
      const report = await gathered(store.root, input);
      const folder = paths.experiment(store.root, id);
      await mkdir(folder, { recursive: true, mode: 0o750 });
      const summary = summarize(report);
      await writeFileAtomic(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
      await writeFileAtomic(join(folder, 'summary.txt'), summary);
      const path = join(folder, 'report.html');
      await writeFileAtomic(path, renderExperiment(report));
      return { path, summary: cut(summary, maxSummary) };
    },
  };
}

async function gathered(root: string, { id, experiment, members }: ExperimentReportInput): Promise<ExperimentReport> {
  const found = await heartbeating('gathering', async () => {
    const all: Gathered[] = [];
    for (const member of members) {
      Context.current().cancellationSignal.throwIfAborted();
      all.push(await gatherMember(root, member));
    }
    return all;
  });
  const measures = await offLoop('experiment', {
    members: found.flatMap(({ items }) => items ?? []),
    arms: experiment.arms.map(({ name }) => name),
    baseline: experiment.baseline,
    directions: experiment.directions,
    seed: experiment.seeds[0] ?? 0,
  });
  const reports = found.map(({ report }) => report);
  return { schema: 1, id, experiment, members: reports, measures, writtenAt: new Date().toISOString() };
}
