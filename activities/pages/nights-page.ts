/** `nights.html`: what became of all nights, the worst first. Pure: values in, markup out. */
import { type Html, html } from '../report/html.ts';
import { rounded } from '../report/summary.ts';
import { nightChart } from './night-chart.ts';
import type { NightDigest } from './night-files.ts';
import type { NightRow, Nights } from './night-rows.ts';
import { cited, frame, scrolling, table } from './parts.ts';

/** Rows of a schedule that the table has: the newest, a year's nights. */
const mostRows = 366;

export interface NightTotals {
  nights: number;
  passed: number;
  notPassed: number;
  /** Failed, cancelled, or with a wrong recipe. */
  failed: number;
  skipped: number;
  usd: number;
  gpuHours: number;
  gpuHoursWasted: number;
}

/** Content of `nights.json`: the sums that the page shows. */
export interface NightsRecord {
  schema: 1;
  writtenAt: string;
  totals: NightTotals;
}

export function nightsRecord({ nights }: Nights, now: Date): NightsRecord {
  const rows = nights.flatMap((one) => one.rows);
  const count = (...verdicts: NightRow['verdict'][]) => rows.filter(({ verdict }) => verdicts.includes(verdict)).length;
  const sum = (of: (digest: NightDigest) => number | undefined) =>
    rows.reduce((all, { digest }) => all + (digest === null ? 0 : (of(digest) ?? 0)), 0);
  return {
    schema: 1,
    writtenAt: now.toISOString(),
    totals: {
      nights: rows.length,
      passed: count('passed'),
      notPassed: count('not-passed'),
      failed: count('failed', 'cancelled', 'wrong-recipe'),
      skipped: count('skipped'),
      usd: sum(({ usd }) => usd?.spent),
      gpuHours: sum(({ gpuHours }) => gpuHours?.used),
      gpuHoursWasted: sum(({ gpuHours }) => gpuHours?.wasted),
    },
  };
}

export function renderNights(all: Nights, record: NightsRecord): string {
  const { nights, unreadable } = all;
  return frame(
    'Nights of the critic',
    html`<header>
        <p class="kicker">
          Nights <span>written ${cited(minute(record.writtenAt), 'nights.json#/writtenAt')} UTC</span>
        </p>
        <h1>All nights</h1>
        ${figures(record.totals)}
      </header>
      <main>
        ${troubles(all)}${nights.map(({ name, rows }) => schedule(name, rows))}${
          nights.length === 0 ? html`<p class="none">No night has begun or been skipped yet.</p>` : undefined
        }${
          unreadable.length === 0
            ? undefined
            : html`<section>
                <h2>Not read</h2>
                <ul class="findings" data-source="nights.html">
                  ${unreadable.map((one) => html`<li class="warning">${one}</li>`)}
                </ul>
              </section>`
        }
      </main>
      <footer>One file, nothing loaded from elsewhere.</footer>`,
  );
}

function figures(totals: NightTotals): Html {
  const of = (name: keyof NightTotals, show: (value: number) => string = String) =>
    cited(show(totals[name]), `nights.json#/totals/${name}`);
  const shown: [string, Html, Html][] = [
    ['Nights', of('nights'), html`${of('passed')} passed, ${of('notPassed')} not passed`],
    ['Without a verdict', of('failed'), html`failed or cancelled; ${of('skipped')} skipped`],
    ['Teacher, USD', of('usd', (usd) => usd.toFixed(2)), html`spent in these nights’ runs`],
    ['GPU-hours', of('gpuHours', hours), html`${of('gpuHoursWasted', hours)} in attempts that did not end well`],
  ];
  return html`<dl class="figures">
    ${shown.map(
      ([name, value, note]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}<small>${note}</small></dd>
        </div>`,
    )}
  </dl>`;
}

/** Schedules whose newest night has no verdict: what somebody should look at. */
function troubles({ nights }: Nights): Html {
  const bad = nights.flatMap(({ rows: [newest] }) =>
    newest !== undefined && ['failed', 'wrong-recipe', 'skipped', 'cancelled'].includes(newest.verdict) ? [newest] : [],
  );
  if (bad.length === 0) return html``;
  return html`<section>
    <h2>Look at these</h2>
    <ul class="findings">
      ${bad.map(
        (row) =>
          html`<li class="warning">
            <a href="#night-${row.night}">${row.night}</a>, ${when(row)}: ${words[row.verdict]}. ${reason(row)}
          </li>`,
      )}
    </ul>
  </section>`;
}

const words: Record<NightRow['verdict'], string> = {
  passed: 'passed',
  'not-passed': 'not passed',
  failed: 'failed',
  cancelled: 'cancelled',
  stopped: 'stopped by its deadline',
  skipped: 'skipped',
  'wrong-recipe': 'wrong recipe',
  'under-way': 'under way',
};

function schedule(name: string, rows: readonly NightRow[]): Html {
  const shown = rows.slice(0, mostRows);
  const headings = [
    'Night (UTC)',
    '<Verdict',
    'MainScore',
    'Against champion',
    'USD',
    'GPU-hours',
    'Wasted',
    '<Run, and why',
  ];
  const older = rows.length - shown.length;
  return html`<section id="night-${name}" data-source="nights/${name}">
    <h2>${name}</h2>
    ${scrolling(`MainScore of ${name}, drawn`, nightChart(name, shown))}
    ${table(`Nights of ${name}`, headings, shown.map(line), 'nights')}${
      older === 0
        ? undefined
        : html`<p class="note">${older} older nights are in the store’s folder nights/${name}.</p>`
    }
  </section>`;
}

function line(row: NightRow): Html {
  const { verdict, digest, file, nothingNew } = row;
  const good = verdict === 'passed' || verdict === 'under-way' || verdict === 'stopped';
  const number = (value: number | null | undefined, pointer: string, show: (value: number) => string) =>
    value === null || value === undefined ? html`–` : cited(show(value), `${file}#${pointer}`);
  return html`<tr>
    <th scope="row">${when(row)}</th>
    <td class="left state ${good ? 'ok' : 'other'}">
      ${words[verdict]}${nothingNew ? html`<small>nothing new</small>` : undefined}
    </td>
    <td>
      ${number(digest?.score?.value, '/score/value', rounded)}${interval(digest?.score?.interval, `${file}#/score/interval`)}
    </td>
    <td>${champion(digest, file)}</td>
    <td>${number(digest?.usd?.spent, '/usd/spent', (usd) => usd.toFixed(2))}</td>
    <td>${number(digest?.gpuHours?.used, '/gpuHours/used', hours)}</td>
    <td>${number(digest?.gpuHours?.wasted, '/gpuHours/wasted', hours)}</td>
    <td class="left why">${runLink(row)} ${reason(row)}${waste(digest, file)}</td>
  </tr>`;
}

function when({ at, file }: NightRow): Html {
  return cited(minute(at), `${file}#/at`);
}

function champion(digest: NightDigest | null, file: string): Html {
  const change = digest?.champion?.change;
  if (change === undefined) return html`–`;
  if (change === 'same') return html`the same`;
  if (change.estimate === null) return html`no MainScore`;
  const sign = change.estimate < 0 ? '' : '+';
  const pointer = `${file}#/champion/change`;
  return html`${cited(`${sign}${rounded(change.estimate)}`, `${pointer}/estimate`)}${interval(change.difference, `${pointer}/difference`)}`;
}

function interval(bounds: readonly [number, number] | null | undefined, source: string): Html | undefined {
  if (bounds === null || bounds === undefined) return undefined;
  return html`<small>${cited(rounded(bounds[0]), `${source}/0`)} – ${cited(rounded(bounds[1]), `${source}/1`)}</small>`;
}

function runLink({ run, runFile, verdict }: NightRow): Html | undefined {
  if (run === null) return undefined;
  const name = cited(run, `${runFile}#/run`);
  // A run that goes on, or broke, has no report.
  return verdict === 'passed' || verdict === 'not-passed'
    ? html`<a href="runs/${run}/report.html">${name}</a>`
    : html`<span class="key">${name}</span>`;
}

function reason({ why, file, digest }: NightRow): Html | undefined {
  return why === '' ? undefined : cited(why, `${file}#/${digest === null ? 'why' : 'sentence'}`);
}

function waste(digest: NightDigest | null, file: string): Html | undefined {
  if (digest === null || digest.wasted.length === 0) return undefined;
  return html`<small
    >wasted:
    ${digest.wasted.map(
      ({ attempt, gpuHours, why }, index) =>
        html`${index === 0 ? '' : '; '}${cited(attempt, `${file}#/wasted/${index}/attempt`)}
        ${cited(hours(gpuHours), `${file}#/wasted/${index}/gpuHours`)}, ${cited(why, `${file}#/wasted/${index}/why`)}`,
    )}</small
  >`;
}

function hours(value: number): string {
  return value.toFixed(3);
}

/** `2026-11-28 01:30` */
function minute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}
