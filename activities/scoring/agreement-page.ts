/** The part of a scoring's page that says how far the critic agrees with people: as a whole, by dimension and by editing method. Pure. */
import type { Part } from '../../domain/evaluation/breakdown.ts';
import type { Evaluation, MetricName } from '../../domain/evaluation/evaluation.ts';
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { pairsInWords, type ScoringResult } from '../../domain/scoring/scoring.ts';
import { table } from '../pages/parts.ts';
import { type Html, html } from '../report/html.ts';
import { fixed, whyNone } from './forms.ts';

const measured: readonly [MetricName, string][] = [
  ['main_score', 'MainScore'],
  ['srcc', 'SRCC'],
  ['plcc_fit', 'PLCC after the logistic fit'],
  ['plcc', 'PLCC'],
  ['krcc', 'KRCC'],
  ['rmse', 'RMSE'],
  ['readable', 'Readable share'],
];

export function agreed(agreement: Evaluation, { pairs: all }: ScoringResult): Html {
  const { models, resampling, pairs: count } = agreement;
  const rows = measured.map(([name, label]) => {
    const constant = models.constant?.[name]?.value ?? null;
    return html`<tr>
      <th scope="row">${label}</th>
      ${cells(models.grpo?.[name])}
      <td data-source="evaluation.json">${fixed(constant, 3)}</td>
    </tr>`;
  });
  const why = whyNone(agreement);
  return html`<section>
    <h2>Agreement with people</h2>
    ${why === undefined ? undefined : html`<p class="lead">${why}</p>`}
    ${table('Agreement with people', ['Metric', 'Critic', '95 %', 'Best constant'], rows)}
    <p class="note">
      On ${count} of ${pairsInWords(all)}: those that could be shown to the critic. Intervals by ${resampling.resamples}
      resamples of ${resampling.units}
      ${resampling.unit === 'source' ? 'source pictures, with all their edits' : 'pairs'}. The best constant always says
      the mean opinion of these pairs. The scale after the mapping is 1 to 5.
    </p>
    ${parts(agreement)}
  </section>`;
}

function cells(estimate: Estimate | undefined): Html {
  const { value = null, interval = null } = estimate ?? {};
  return html`<td data-source="evaluation.json">${fixed(value, 3)}</td>
    <td data-source="evaluation.json">
      ${interval === null ? '' : `${fixed(interval[0], 3)} to ${fixed(interval[1], 3)}`}
    </td>`;
}

/** Undefined where the data tell neither dimensions nor methods. */
function parts({ breakdown }: Evaluation): Html | undefined {
  const { dimensions = {}, methods = {} } = breakdown?.grpo ?? {};
  const named: [string, Part][] = [
    ...Object.entries(dimensions).flatMap(([name, { overall, stated }]): [string, Part][] => [
      [`${name}: overall score`, overall],
      [`${name}: what the critique says`, stated],
    ]),
    ...Object.entries(methods).map(([name, part]): [string, Part] => [`method ${name}`, part]),
  ];
  if (named.length === 0 || (named.length === 1 && Object.hasOwn(methods, 'unknown'))) return undefined;
  const rows = named.map(
    ([name, { rows: total, valid, metrics, refused }]) =>
      html`<tr>
        <th scope="row">${name}</th>
        <td data-source="evaluation.json">${valid} of ${total}</td>
        ${
          metrics === null
            ? html`<td colspan="3" class="left">${refused ?? 'too few rows'}</td>`
            : html`${cells(metrics.main_score)}
                <td data-source="evaluation.json">${fixed(metrics.bias.value)}</td>`
        }
      </tr>`,
  );
  const headings = ['Part', 'Valid', 'MainScore', '95 %', 'Critic − people'];
  return html`<h3>By dimension and editing method</h3>
    ${table('Agreement by dimension and editing method', headings, rows, 'faults')}`;
}
