/** The last part of the page: jobs, cost, artifacts, provenance and the whole recipe. Pure. */
import { cited, facts, table, time } from '../pages/parts.ts';
import type { ReportArtifact, ReportData } from './data.ts';
import { type Html, html } from './html.ts';
import { type ReportRecord, reportRecord } from './record-file.ts';

const shownUncertain = 50;

export function record(data: ReportData): Html {
  const { report, plan } = data.sources;
  const kept = reportRecord(data);
  const told = data.facts.map(([name, value], index): [string, Html] => [
    name,
    cited(value, `${report}#/facts/${index}/1`),
  ]);
  return html`<section>
      <h2>Jobs and cost</h2>
      ${costFacts(kept, report)}${estimateTable(data, kept)}${uncertainTable(data)}${jobTable(data)}
    </section>
    <section>
      <h2>Provenance</h2>
      ${facts([
        ['Run', cited(data.run, `${report}#/run`)],
        ...told,
        ['Started', cited(moment(data.startedAt), `${report}#/startedAt`)],
        ['Report written', cited(moment(data.finishedAt), `${report}#/finishedAt`)],
      ])}${artifactTable(data.artifacts)}
      <details data-source="${plan}">
        <summary>The whole recipe</summary>
        <pre tabindex="0">${JSON.stringify(data.recipe, null, 2)}</pre>
      </details>
    </section>`;
}

/** What this run spent, and what its result cost in all: earlier runs paid for reused artifacts. */
function costFacts({ spent: { run, all } }: ReportRecord, file: string): Html {
  const usd = (value: number, of: 'run' | 'all') => cited(`$${value.toFixed(2)}`, `${file}#/spent/${of}/usd`);
  const hours = (value: number, of: 'run' | 'all') => cited(value.toFixed(3), `${file}#/spent/${of}/gpuHours`);
  const jobs = cited(String(run.jobs), `${file}#/spent/run/jobs`);
  return facts([
    [
      'This run',
      html`${usd(run.usd, 'run')} for the teacher, ${hours(run.gpuHours, 'run')} GPU-hours in ${jobs}
      ${run.jobs === 1 ? 'job' : 'jobs'}`,
    ],
    ['With what it reused', html`${usd(all.usd, 'all')} for the teacher, ${hours(all.gpuHours, 'all')} GPU-hours`],
  ]);
}

/** What was expected before anything was spent, beside what it took, for stages that had to be made and tell either. */
function estimateTable({ artifacts, sources: { report } }: ReportData, { estimates }: ReportRecord): Html {
  const rows = estimates.map(({ stage, usd, seconds, gpuHours }, index) => {
    const actual = artifacts.find((one) => one.stage === stage);
    const isJob = usd === null;
    const expected = (name: string, value: number | null, show: (value: number) => string) =>
      value === null ? html`unknown` : cited(show(value), `${report}#/estimates/${index}/${name}`);
    const took = (name: string, value: number | undefined, show: (value: number) => string) =>
      actual === undefined || value === undefined ? undefined : cited(show(value), costAt(actual, name));
    return html`<tr>
      <th scope="row">${cited(stage, `${report}#/estimates/${index}/stage`)}</th>
      <td>${isJob ? undefined : expected('usd', usd, dollars)}</td>
      <td>${isJob ? undefined : took('usd', actual?.usd, dollars)}</td>
      <td>${isJob ? expected('seconds', seconds, time) : undefined}</td>
      <td>${isJob ? took('seconds', actual?.seconds, time) : undefined}</td>
      <td>${isJob ? expected('gpuHours', gpuHours, thousandths) : undefined}</td>
      <td>${isJob ? took('gpu_hours', actual?.gpuHours, thousandths) : undefined}</td>
    </tr>`;
  });
  if (rows.length === 0) return html``;
  const headings = ['Estimate', 'USD', 'actual', 'Time', 'actual', 'GPU-hours', 'actual'];
  return html`${table('Estimate of each stage', headings, rows)}
    <p class="note">
      Estimated before anything was spent: USD with one answer of usual length for each row, times from an earlier run
      of this recipe’s name. USD includes what earlier runs had paid for answers that are used here.
    </p>`;
}

/** Names requests whose answer never came, so that they can be found on the teacher's bill. */
function uncertainTable({ uncertain, sources }: ReportData): Html {
  if (uncertain.length === 0) return html``;
  const usd = (list: ReportData['uncertain']) => `$${list.reduce((all, one) => all + one.usd, 0).toFixed(4)}`;
  const left = uncertain.slice(shownUncertain);
  const rows = uncertain.slice(0, shownUncertain).map((one, index) => {
    const at = `${sources.report}#/uncertain/${index}`;
    return html`<tr>
      <th scope="row">${cited(one.id, `${at}/id`)}</th>
      <td class="left key">${cited(one.request, `${at}/request`)}</td>
      <td>${cited(usd([one]), `${at}/usd`)}</td>
    </tr>`;
  });
  const rest =
    left.length === 0 ? '' : ` ${left.length} more, of ${usd(left)}, are in the synthesis artifact’s card.json.`;
  return html`<p class="note" data-source="${sources.report}">
      ${plural(uncertain.length, 'request')} to the teacher may have been paid for and brought nothing: in flight when a
      worker died, or never answered. Up to ${usd(uncertain)}, counted as spent; each was asked again.${rest}
    </p>
    ${table('Uncertain requests', ['Uncertain: pair', '<Request key', 'USD at most'], rows)}`;
}

function jobTable({ jobs: ran, sources }: ReportData): Html {
  if (ran.length === 0) return html`<p class="none">No job was run: every artifact was there already.</p>`;
  const rows = ran.map((job, index) => {
    const at = `${sources.report}#/jobs/${index}`;
    return html`<tr>
      <th scope="row">${cited(job.stage, `${at}/stage`)}</th>
      <td class="left">${cited(job.jobId, `${at}/jobId`)}</td>
      <td>${cited(String(job.attempt), `${at}/attempt`)}</td>
      <td class="left state ${job.state === 'COMPLETED' ? 'ok' : 'other'}">${job.state}</td>
      <td>${cited(time(job.seconds), `${at}/seconds`)}</td>
      <td>${cited(thousandths(job.gpuHours), `${at}/gpuHours`)}</td>
    </tr>`;
  });
  return table('Jobs', ['Stage', '<Slurm job', 'Attempt', '<State', 'Time', 'GPU-hours'], rows);
}

/** Each links to its manifest, which says what it was made from. */
function artifactTable(list: readonly ReportArtifact[]): Html {
  const rows = list.map((one) => {
    const cost = (name: string, value: number | undefined, show: (value: number) => string) =>
      value === undefined ? undefined : cited(show(value), costAt(one, name));
    const manifest = manifestOf(one);
    return html`<tr>
      <th scope="row">${cited(one.stage, `${manifest}#/stage`)}</th>
      <td class="left key"><a href="../../${manifest}">${cited(one.key, `${manifest}#/key`)}</a></td>
      <td class="left">${one.fresh ? 'this run' : html`reused, ${cited(one.madeBy, `${manifest}#/made_by/run`)}`}</td>
      <td>${cost('usd', one.usd, dollars)}</td>
      <td>${tokens(one)}</td>
      <td>${cost('gpu_hours', one.gpuHours, thousandths)}</td>
      <td>${cost('seconds', one.seconds, time)}</td>
    </tr>`;
  });
  return table('Artifacts', ['Artifact', '<Key', '<Made by', 'USD', 'Tokens', 'GPU-hours', 'Time'], rows);
}

function manifestOf({ stage, key }: ReportArtifact): string {
  return `artifacts/${stage}/${key}/manifest.json`;
}

function costAt(artifact: ReportArtifact, name: string): string {
  return `${manifestOf(artifact)}#/cost/${name}`;
}

/** Input and output together. */
function tokens(artifact: ReportArtifact): Html | undefined {
  const { tokens: count } = artifact;
  if (count === undefined) return undefined;
  return cited(
    count.toLocaleString('en-US'),
    `${costAt(artifact, 'input_tokens')} ${costAt(artifact, 'output_tokens')}`,
  );
}

function dollars(usd: number): string {
  return `$${usd.toFixed(2)}`;
}

function thousandths(value: number): string {
  return value.toFixed(3);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `2026-11-23 19:00:00 UTC`. */
function moment(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}
