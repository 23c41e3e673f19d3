/** Where the last critic agrees with people and where not: by dimension and by editing method. Pure. */
import type { Part } from '../../domain/evaluation/breakdown.ts';
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { cited, table } from '../pages/parts.ts';
import { intervalChart } from './charts.ts';
import { modelLabels, type ReportData } from './data.ts';
import { type Html, html } from './html.ts';
import { rounded, short } from './summary.ts';

/** Bars that one chart can have and still be read. All are in the table. */
const mostBars = 16;

const dimensionWords: Readonly<Record<string, string>> = {
  alignment: 'text alignment',
  fidelity: 'fidelity',
  quality: 'quality',
};

/** `label` beside a part, and where it is in the evaluation's file. */
type Named = readonly [label: string, part: Part, pointer: string];

export function breakdown({ evaluation, sources }: ReportData): Html {
  const model = (['grpo', 'sft', 'base'] as const).find((one) => evaluation?.breakdown?.[one] !== undefined);
  const found = model && evaluation?.breakdown?.[model];
  if (model === undefined || found === undefined || sources.evaluation === undefined) return html``;
  const at = `${sources.evaluation}#/breakdown/${model}`;
  const dimensions = Object.entries(found.dimensions).flatMap(([name, parts]): Named[] => [
    [`${dimensionWords[name] ?? name}, by the overall score`, parts.overall, `${at}/dimensions/${name}/overall`],
    [`${dimensionWords[name] ?? name}, as the critique says`, parts.stated, `${at}/dimensions/${name}/stated`],
  ]);
  const methods = Object.entries(found.methods).map(([name, part]): Named => [
    name,
    part,
    `${at}/methods/${escaped(name)}`,
  ]);
  const within = found.within_source;
  return html`<section data-source="${sources.evaluation}">
    <h2>Where it agrees, and where not</h2>
    <p class="note">
      Of the critic ${modelLabels[model]}, on the test split. Small: 95 % bootstrap intervals, ${found.resamples}
      resamples. A part with too few readable answers has no numbers.
    </p>
    ${dimensions.length === 0 ? undefined : partTable('Agreement by dimension', 'Dimension', dimensions)}
    ${methods.length === 0 ? undefined : partTable('Agreement by editing method', 'Method', methods)} ${bars(methods)}
    ${
      within === null
        ? undefined
        : html`<p class="note">
            Of two edits of one picture it puts the one first that people prefer in ${short(within.agreement)} of
            ${within.pairs} pairs from ${within.sources} pictures; 0.5 is chance.
          </p>`
    }
  </section>`;
}

function partTable(label: string, first: string, parts: readonly Named[]): Html {
  const rows = parts.map(([name, { rows: total, valid, metrics, refused }, at]) => {
    const number = (estimate: Estimate | undefined, metric: string) => {
      const value = estimate?.value ?? null;
      if (value === null) return html`<td>–</td>`;
      const source = `${at}/metrics/${metric}`;
      return html`<td>${cited(rounded(value), `${source}/value`)}${bounds(estimate, source)}</td>`;
    };
    return html`<tr>
      <th scope="row" data-source="${at}">${name}</th>
      <td>${cited(String(valid), `${at}/valid`)} of ${cited(String(total), `${at}/rows`)}</td>
      ${
        metrics === null
          ? html`<td class="left" colspan="4">${cited(refused ?? 'too few', `${at}/refused`)}</td>`
          : [
              number(metrics.main_score, 'main_score'),
              number(metrics.srcc, 'srcc'),
              number(metrics.mean_absolute_error, 'mean_absolute_error'),
              number(metrics.bias, 'bias'),
            ]
      }
    </tr>`;
  });
  return table(label, [first, 'Readable', 'MainScore', 'SRCC', 'Mean error', 'Bias'], rows, 'metrics parts');
}

function bounds(estimate: Estimate | undefined, source: string): Html | undefined {
  const interval = estimate?.interval ?? null;
  if (interval === null) return undefined;
  const [low, high] = interval;
  return html`<small
    >${cited(rounded(low), `${source}/interval/0`)} – ${cited(rounded(high), `${source}/interval/1`)}</small
  >`;
}

function bars(methods: readonly Named[]): Html | undefined {
  const measured = methods.flatMap(([name, { metrics }]) =>
    metrics === null ? [] : [{ label: name, model: 'grpo', estimate: metrics.mean_absolute_error }],
  );
  if (measured.length < 2) return undefined;
  const rest = measured.length - mostBars;
  const title = rest > 0 ? `Mean error by method, the ${mostBars} with most pairs` : 'Mean error by method';
  return html`<div class="charts two">${intervalChart(title, measured.slice(0, mostBars))}</div>`;
}

/** A name as a part of a JSON pointer. */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
