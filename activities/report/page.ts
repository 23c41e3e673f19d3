/**
 * The report's page: one self-contained file without script or external resource. Pure: values in, markup out. The `html`
 * tag escapes whatever a model or a dataset wrote.
 */
import { hasFormat, parseAnswer } from '../../domain/critique/score.ts';
import { cited, frame } from '../pages/parts.ts';
import { breakdown } from './breakdown.ts';
import { lineChart, scatter } from './charts.ts';
import { modelLabels, type Picture, type ReportData, type Sample } from './data.ts';
import { type Html, html } from './html.ts';
import { record } from './record.ts';
import { header, results, troubles } from './results.ts';

export function renderPage(data: ReportData): string {
  return frame(
    `${data.run} · critic report`,
    html`${header(data)}
      <main>
        ${troubles(data)}${results(data)}${breakdown(data)}${training(data)}${agreementPlots(data)}${samples(data)}${record(data)}
      </main>
      <footer>One file, nothing loaded from elsewhere.</footer>`,
  );
}

function training({ training: { loss, reward, responseLength }, sources: { sft, grpo } }: ReportData): Html {
  const files = [sft, grpo].filter((file) => file !== undefined).join(' ');
  return html`<section ${files === '' ? undefined : html`data-source="${files}"`}>
    <h2>Training</h2>
    <div class="charts">
      ${lineChart('SFT loss', 'sft', loss)}${lineChart('GRPO reward', 'grpo', reward)}${lineChart('Answer length in tokens', 'grpo', responseLength)}
    </div>
  </section>`;
}

function agreementPlots({ predicted, sources: { predictions = '' } }: ReportData): Html {
  if (predicted.length === 0) return html``;
  const plots = predicted.map(({ model, points }) => scatter(modelLabels[model], model, points));
  return html`<section data-source="${predictions}">
    <h2>Predicted against people</h2>
    <p class="note">
      Each dot is a pair of the test split: its mean opinion score across, the critic’s greedy score up. On the dashed
      line they agree.
    </p>
    <div class="charts">${plots}</div>
  </section>`;
}

/** A strip that the reader moves through from the smallest error to the largest: by swiping, by arrow keys, or by the errors above it. */
function samples({ samples: chosen, sources: { predictions = '' } }: ReportData): Html {
  if (chosen.length === 0) return html``;
  return html`<section data-source="${predictions}">
    <h2>Sample critiques</h2>
    <p class="note">
      Chosen by rule from the greedy answers of the last critic: the three smallest errors, four at the median, the
      three largest. Each error leads to its critique.
    </p>
    <nav class="errors" aria-label="Critiques by error">
      <ol>
        ${chosen.map(
          (one, index) =>
            html`<li>
              <a href="#critique-${index + 1}">${errorOf(one) ?? 'unreadable'}</a>
            </li>`,
        )}
      </ol>
    </nav>
    <div class="strip" tabindex="0" role="region" aria-label="Sample critiques, by error">
      ${chosen.map((one, index) => sample(one, index + 1, predictions))}
    </div>
  </section>`;
}

function errorOf({ predicted, mos }: Sample): string | undefined {
  return predicted === null ? undefined : Math.abs(predicted - mos).toFixed(2);
}

function sample(one: Sample, number: number, file: string): Html {
  const at = `${file}#/${one.row}`;
  const predicted = one.predicted === null ? html`unreadable` : cited(one.predicted.toFixed(2), `${at}/greedy/text`);
  const error = one.predicted === null ? undefined : html` · off by ${errorOf(one)}`;
  return html`<article class="sample" id="critique-${number}" aria-label="Critique of ${one.id}">
    <div class="pair">${picture(one.source, 'source')}${picture(one.edited, 'edited')}</div>
    <div class="words">
      <p class="instruction">“${one.instruction}”</p>
      <p class="scores">
        <b>${predicted}</b> critic <b>${cited(one.mos.toFixed(2), `${at}/mos`)}</b> people
        <span>${one.why}${error}</span>
      </p>
      <div class="answer" data-source="${at}/greedy/text">${critique(one)}</div>
      <p class="id">${cited(one.id, `${at}/id`)}</p>
    </div>
  </article>`;
}

/** Only the critique if the whole answer was understood. Otherwise the answer as it came, with its tags. */
function critique({ answer, predicted }: Sample): string {
  const read = parseAnswer(answer);
  return predicted !== null && hasFormat(answer) && read.kind === 'scored' && read.think !== '' ? read.think : answer;
}

function picture(image: Picture, label: string): Html {
  if ('missing' in image)
    return html`<figure class="picture">
      <p class="none">${image.missing}</p>
      <figcaption>${label}</figcaption>
    </figure>`;
  const crisp = Math.max(image.width, image.height) <= 128 ? 'crisp' : '';
  return html`<figure class="picture">
    <img class="${crisp}" src="${image.url}" width="${image.width}" height="${image.height}" alt="${label} image" />
    <figcaption>${label}</figcaption>
  </figure>`;
}
