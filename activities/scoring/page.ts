/**
 * The page of a scoring: what was asked, what could not be scored first, agreement with people where it was measured, and the pairs with pictures, score, how firm
 * it is, and critique. Self-contained. All its numbers are in `scores.jsonl` and `evaluation.json` beside it. Pure.
 */
import { basename } from 'node:path';
import type { Evaluation } from '../../domain/evaluation/evaluation.ts';
import type { ScoringResult } from '../../domain/scoring/scoring.ts';
import { frame, table } from '../pages/parts.ts';
import { type Html, html } from '../report/html.ts';
import { agreed } from './agreement-page.ts';
import { fixed, sampledInWords, type ScoredPair } from './forms.ts';
import type { KeptPair } from './pairs-artifact.ts';
import { picturedPairs, type Thumbnail } from './thumbnails.ts';

export interface ScoresPage {
  result: ScoringResult;
  rows: readonly ScoredPair[];
  agreement: Evaluation | null;
  /** By path in the artifact. */
  pictures: ReadonlyMap<string, Thumbnail>;
}

/** Rows of the list of what could not be scored. */
const shownFaults = 200;
const own = '.faults td{white-space:normal;overflow-wrap:anywhere}.sample h3{margin-top:0}';

export function renderScores({ result, rows, agreement, pictures }: ScoresPage): string {
  const title = result.purpose === 'evaluate' ? 'Agreement on other data' : 'Scores';
  const body = html`<main>
      <header>
        <p class="kicker">${title} <span>${result.critic}</span></p>
        <h1>${result.id}</h1>
        ${figures(result, rows)}
      </header>
      ${faults(rows)}${agreement === null ? undefined : agreed(agreement, result)}${pairs(rows, pictures)}
    </main>
    <footer>
      Numbers of pairs are from
      <a href="scores.jsonl">scores.jsonl</a
      >${agreement === null ? undefined : html`, those of agreement from <a href="evaluation.json">evaluation.json</a>`};
      for spreadsheets: <a href="scores.csv">scores.csv</a>.
    </footer>`;
  return frame(`${title}: ${result.id}`, body, own);
}

function figures(result: ScoringResult, rows: readonly ScoredPair[]): Html {
  const scores = rows.flatMap(({ score }) => score ?? []);
  const mean = scores.length === 0 ? null : scores.reduce((sum, one) => sum + one, 0) / scores.length;
  const spreads = rows.flatMap(({ sd }) => sd ?? []);
  const spread = spreads.length === 0 ? null : spreads.reduce((sum, one) => sum + one, 0) / spreads.length;
  const shown: [string, string, string][] = [
    ['Scored', `${result.scored} of ${result.pairs}`, 'pairs'],
    ['Mean score', fixed(mean), 'of greedy answers, 1 to 5'],
    ['Spread', fixed(spread), spread === null ? 'needs two samples for each pair' : 'mean deviation of sampled scores'],
    [
      'Not scored',
      String(result.refused + result.unreadable),
      `${result.refused} not asked, ${result.unreadable} without a score`,
    ],
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

function faults(rows: readonly ScoredPair[]): Html | undefined {
  const bad = rows.filter(({ score }) => score === null);
  if (bad.length === 0) return undefined;
  const shown = bad.slice(0, shownFaults).map(
    ({ pair, answer }) =>
      html`<tr>
        <th scope="row">${pair.id}</th>
        <td class="left">${pair.where}</td>
        <td class="left">${named(pair)}</td>
        <td class="left">${pair.fault ?? `its answer gives no score: ${(answer ?? '').slice(0, 200)}`}</td>
      </tr>`,
  );
  return html`<section>
    <h2>Not scored</h2>
    ${table('Pairs without a score', ['Pair', '<Row', '<Named', '<Why'], shown, 'faults')}${bad.length > shownFaults ? html`<p class="note">And ${bad.length - shownFaults} more, in scores.csv.</p>` : undefined}
  </section>`;
}

/** What could be read of a pair that has no score: pictures, instruction, people's opinion. */
function named({ source, edited, instruction, opinions: { mos } }: KeptPair): string {
  const pictures = [source, edited].map((one) => (one === undefined ? '?' : basename(one)));
  const rest = [instruction?.slice(0, 200), mos === undefined ? undefined : `people ${fixed(mos)}`];
  return [pictures.join(' → '), ...rest.filter((one) => one !== undefined)].join(' · ');
}

function pairs(rows: readonly ScoredPair[], pictures: ReadonlyMap<string, Thumbnail>): Html {
  const shown = rows.slice(0, picturedPairs).filter(({ answer }) => answer !== null);
  const left = rows.length - picturedPairs;
  return html`<section>
    <h2>Pairs</h2>
    ${left > 0 ? html`<p class="note">The first ${picturedPairs} with pictures; the other ${left} are in scores.csv.</p>` : undefined}
    ${shown.map((row) => pairOf(row, pictures))}
  </section>`;
}

function pairOf(
  { pair, score, mean, sd, samples, critique, answer }: ScoredPair,
  pictures: ReadonlyMap<string, Thumbnail>,
) {
  const { mos } = pair.opinions;
  return html`<article class="sample">
    <div class="pair">
      ${picture(pictures.get(pair.source_image ?? ''), 'Source')}${picture(pictures.get(pair.edited_image ?? ''), 'Edited')}
    </div>
    <div>
      <p class="instruction">${pair.instruction ?? ''}</p>
      <p class="scores">
        <b>${score === null ? 'no score' : fixed(score)}</b>
        <span>sampled ${sampledInWords({ mean, sd, samples })}</span>
        ${mos === undefined ? undefined : html`<span>people ${fixed(mos)}</span>`}
      </p>
      <div class="answer">${critique === '' ? (answer ?? '') : critique}</div>
      <p class="id">${pair.id}, ${pair.where}</p>
    </div>
  </article>`;
}

function picture(small: Thumbnail | undefined, name: string): Html {
  if (small === undefined) return html`<figure class="picture"><p class="none">${name} cannot be shown</p></figure>`;
  const { url, width, height } = small;
  return html`<figure class="picture">
    <img src="${url}" width="${width}" height="${height}" alt="${name}" loading="lazy" />
    <figcaption>${name}</figcaption>
  </figure>`;
}
