/** The last part of the page: jobs, cost, artifacts, provenance and the whole recipe. Pure. */
import { facts, table } from '../pages/parts.ts';
import type { ReportArtifact, ReportData } from './data.ts';
import { type Html, html } from './html.ts';

const shownUncertain = 50;

export function record(data: ReportData): Html {
  return html`<section>
      <h2>Jobs and cost</h2>
      ${costFacts(data)}${estimateTable(data)}${uncertainTable(data)}${jobTable(data)}
    </section>
    <section>
      <h2>Provenance</h2>
      ${facts([['Run', data.run], ...data.facts, ['Started', moment(data.startedAt)], ['Report written', moment(data.finishedAt)]])}${artifactTable(data.artifacts)}
      <details>
        <summary>The whole recipe</summary>
        <pre>${JSON.stringify(data.recipe, null, 2)}</pre>
      </details>
    </section>`;
}

/** What this run spent, and what its result cost in all: earlier runs paid for reused artifacts. */
function costFacts({ artifacts, jobs: ran }: ReportData): Html {
  const fresh = artifacts.filter((artifact) => artifact.fresh);
  const gpuHours = ran.reduce((all, job) => all + job.gpuHours, 0);
  return facts([
    ['This run', `${money(fresh)} for the teacher, ${hours(gpuHours)} in ${plural(ran.length, 'job')}`],
    ['With what it reused', `${money(artifacts)} for the teacher, ${hours(sum(artifacts, 'gpuHours'))}`],
  ]);
}

/** What was expected before anything was spent, beside what it took, for stages that had to be made and tell either. */
function estimateTable({ estimate, artifacts }: ReportData): Html {
  const rows = (estimate?.stages ?? []).flatMap(({ stage, job, synthesis }) => {
    if (job === undefined && synthesis === undefined) return [];
    const actual = artifacts.find((one) => one.stage === stage);
    const expectedUsd = synthesis === undefined ? undefined : synthesis.usd.expected + synthesis.usd.spent;
    return html`<tr>
      <th scope="row">${stage}</th>
      <td>${dollars(expectedUsd)}</td>
      <td>${dollars(synthesis && actual?.usd)}</td>
      <td>${job === undefined ? '' : known(job.seconds, time)}</td>
      <td>${job && actual?.seconds !== undefined ? time(actual.seconds) : ''}</td>
      <td>${job === undefined ? '' : known(job.gpuHours.expected, (value) => value.toFixed(3))}</td>
      <td>${(job && actual?.gpuHours)?.toFixed(3) ?? ''}</td>
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
function uncertainTable({ uncertain }: ReportData): Html {
  if (uncertain.length === 0) return html``;
  const usd = (list: ReportData['uncertain']) => `$${list.reduce((all, one) => all + one.usd, 0).toFixed(4)}`;
  const left = uncertain.slice(shownUncertain);
  const rows = uncertain.slice(0, shownUncertain).map(
    (one) =>
      html`<tr>
        <th scope="row">${one.id}</th>
        <td class="left key">${one.request}</td>
        <td>${usd([one])}</td>
      </tr>`,
  );
  const rest =
    left.length === 0 ? '' : ` ${left.length} more, of ${usd(left)}, are in the synthesis artifact’s card.json.`;
  return html`<p class="note">
      ${plural(uncertain.length, 'request')} to the teacher may have been paid for and brought nothing: in flight when a
      worker died, or never answered. Up to ${usd(uncertain)}, counted as spent; each was asked again.${rest}
    </p>
    ${table('Uncertain requests', ['Uncertain: pair', '<Request key', 'USD at most'], rows)}`;
}

function dollars(usd: number | undefined): string {
  return usd === undefined ? '' : `$${usd.toFixed(2)}`;
}

function known(value: number | null, render: (value: number) => string): string {
  return value === null ? 'unknown' : render(value);
}

function jobTable({ jobs: ran }: ReportData): Html {
  if (ran.length === 0) return html`<p class="none">No job was run: every artifact was there already.</p>`;
  const rows = ran.map(
    (job) =>
      html`<tr>
        <th scope="row">${job.stage}</th>
        <td class="left">${job.jobId}</td>
        <td>${job.attempt}</td>
        <td class="left state ${job.state === 'COMPLETED' ? 'ok' : 'other'}">${job.state}</td>
        <td>${time(job.seconds)}</td>
        <td>${job.gpuHours.toFixed(3)}</td>
      </tr>`,
  );
  return table('Jobs', ['Stage', '<Slurm job', 'Attempt', '<State', 'Time', 'GPU-hours'], rows);
}

function artifactTable(list: readonly ReportArtifact[]): Html {
  const rows = list.map(
    (one) =>
      html`<tr>
        <th scope="row">${one.stage}</th>
        <td class="left key">${one.key}</td>
        <td class="left">${one.fresh ? 'this run' : `reused, ${one.madeBy}`}</td>
        <td>${dollars(one.usd)}</td>
        <td>${one.tokens?.toLocaleString('en-US') ?? ''}</td>
        <td>${one.gpuHours === undefined ? '' : one.gpuHours.toFixed(3)}</td>
        <td>${one.seconds === undefined ? '' : time(one.seconds)}</td>
      </tr>`,
  );
  return table('Artifacts', ['Artifact', '<Key', '<Made by', 'USD', 'Tokens', 'GPU-hours', 'Time'], rows);
}

function money(artifacts: readonly ReportArtifact[]): string {
  return `$${sum(artifacts, 'usd').toFixed(2)}`;
}

function hours(gpuHours: number): string {
  return `${gpuHours.toFixed(3)} GPU-hours`;
}

function sum(artifacts: readonly ReportArtifact[], field: 'usd' | 'gpuHours'): number {
  return artifacts.reduce((all, artifact) => all + (artifact[field] ?? 0), 0);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `2026-11-23 19:00:00 UTC`. */
function moment(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

/** `0:07`, `12:30`, `1:02:03`. */
function time(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
