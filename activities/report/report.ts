/**
 * The report of a run: `report.html` (self-contained: no script, no external resource), `report.json` (what it shows that no other file has) and `summary.txt` (the table that a terminal shows) in the
 * run's folder. Each is replaced atomically, so after a kill -9 writing them again gives whole files.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { cut } from '../../domain/errors.ts';
import { paths } from '../../domain/names.ts';
import type { StoreDeps } from '../store/deps.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import { readEstimate } from '../estimate/estimate-file.ts';
import { translated } from '../failure.ts';
import type { ReportInput } from './data.ts';
import { gatherReport } from './gather.ts';
import { renderPage } from './page.ts';
import { reportRecord } from './record-file.ts';
import { renderSummary } from './summary.ts';

export interface WrittenReport {
  path: string;
  /** Where it is served, if it is. */
  url?: string;
  bytes?: number;
  /** What `summary.txt` holds, at most `maxSummary` characters of it: it travels in the run's result and its history. */
  summary: string;
}

/** The usual summary has about 1000 characters: a row for each of three models, and the claims about GRPO. */
const maxSummary = 4000;

export function createReportActivities(deps: StoreDeps) {
  return {
    async writeReport(input: ReportInput): Promise<WrittenReport> {
      const { run } = input.plan;
      const { root } = deps.store;
      const temporal = deps.runsUrl === undefined ? undefined : `${deps.runsUrl}/${run}`;
      return translated(`write the report of run "${run}"`, Context.current().cancellationSignal, async () => {
        const data = await gatherReport(root, input, await readEstimate(root, run), new Date(), temporal);
        const folder = paths.run(root, run);
        await mkdir(folder, { recursive: true });
        const summary = renderSummary(data.evaluation);
        await writeFileAtomic(join(folder, 'summary.txt'), summary);
        await writeFileAtomic(join(folder, 'report.json'), `${JSON.stringify(reportRecord(data), null, 2)}\n`);
        const path = join(folder, 'report.html');
        const page = renderPage(data);
        await writeFileAtomic(path, page);
        const { pagesUrl } = deps;
        const served = pagesUrl === undefined ? {} : { url: `${pagesUrl}/runs/${run}/report.html` };
        return { path, ...served, bytes: Buffer.byteLength(page), summary: cut(summary, maxSummary) };
      });
    },
  };
}
