/** The page of an experiment: one self-contained file. What failed comes first, then what the intervals say, then the plots, then each run. Pure. */
import type { ComparedMetric, QuantityOf } from '../../domain/experiment/experiment.ts';
import { measuredWhat, placesOf, verdictWords } from '../../domain/experiment/words.ts';
import { cited, frame, table } from '../pages/parts.ts';
import { costCells, fileOf, overridesOf, plainCited, signedCited } from './cited.ts';
import type { Point } from '../report/data.ts';
import { type Html, html } from '../report/html.ts';
import type { ExperimentReport, MemberReport } from './data.ts';
import { armIntervals, armLines, type ArmSeries, plotStyle } from './plots.ts';
import { basis } from './summary.ts';

export function renderExperiment(report: ExperimentReport): string {
  const { experiment, id, writtenAt } = report;
  const day = writtenAt.slice(0, 16).replace('T', ' ');
  return frame(
    `${id} · critic experiment`,
    html`<header data-source="${fileOf(id)}">
        <p class="kicker">Experiment <span>${experiment.name} · ${day} UTC</span></p>
        <h1>${experiment.question}</h1>
        ${failures(report)}
      </header>
      <main>${directions(report)}${agreement(report)}${training(report)}${costs(report)}${runs(report)}</main>
      <footer>One file, nothing loaded from elsewhere. All numbers are in report.json beside it.</footer>`,
    plotStyle,
  );
}

/** What kept a run from having numbers. Nothing if all have them. */
function failures({ members }: ExperimentReport): Html | undefined {
  const missing = members.filter((one) => one.missing !== undefined);
  if (missing.length === 0) return undefined;
  const items = missing.map(({ arm, seed, status, sentence, missing: why }) => {
    return html`<li>${arm}, seed ${seed}: ${status}. ${sentence ?? why}</li>`;
  });
  return html`<p class="verdict no">${missing.length} of ${members.length} runs have no numbers</p>
    <ul class="reasons">
      ${items}
    </ul>`;
}

function directions(report: ExperimentReport): Html | undefined {
  const told = report.measures.directions;
  if (told.length === 0) return undefined;
  const count = (verdict: string) => told.filter((one) => one.verdict === verdict).length;
  const items = told.map(
    (one, index) =>
      html`<li class="${one.verdict}">
        <b>${verdictWords[one.verdict]}</b> ${one.says}<small
          >${measuredWhat(one)}:
          ${signedCited(
            one.measured,
            placesOf(one.metric),
            `${fileOf(report.id)}#/measures/directions/${index}/measured`,
          )}</small
        >${one.why && html`<small>${cited(one.why, `${fileOf(report.id)}#/measures/directions/${index}/why`)}</small>`}<small
          >${one.source ?? ''}</small
        >
      </li>`,
  );
  return html`<section data-source="${fileOf(report.id)}">
    <h2>What the file of the experiment says, and what this shows</h2>
    <p class="lead">
      ${count('shown')} of ${told.length} shown, ${count('opposite')} the other way round, ${count('open')} cannot be
      told${count('missing') === 0 ? '' : `, ${count('missing')} not measured`}.
    </p>
    <ul class="verdicts">
      ${items}
    </ul>
    <p class="note">
      A sentence is shown if the whole 95 % interval is on its side of zero, and cannot be told if the interval holds
      zero. The intervals are not corrected for there being several sentences. ${basis(report)}
    </p>
  </section>`;
}

function agreement(report: ExperimentReport): Html {
  const { experiment, measures } = report;
  const { baseline } = experiment;
  const arms = measures.arms.map((one, index) => ({ ...one, index }));
  const others = arms.filter(({ arm }) => arm !== baseline);
  const rows = arms.map(({ arm, own, versus, seeds, index, unmeasured }) => {
    const metrics = own.grpo ?? {};
    const at = `${fileOf(report.id)}#/measures/arms/${index}`;
    const plain = (metric: ComparedMetric, places: number) =>
      plainCited(metrics[metric], places, `${at}/own/grpo/${metric}`);
    const cells = [
      plain('main_score', 3),
      arm === baseline ? html`baseline` : signedCited(versus.grpo?.main_score, 3, `${at}/versus/grpo/main_score`),
      plain('srcc', 3),
      plain('rmse', 3),
      plain('readable', 3),
      plain('tokens_sampled', 1),
      signedCited(own.gain?.tokens_sampled, 1, `${at}/own/gain/tokens_sampled`),
    ];
    return html`<tr>
      <th scope="row">
        ${arm}<small>${seeds.length === 1 ? '1 seed' : `${seeds.length} seeds`}</small>${
          unmeasured && html`<small>${cited(unmeasured, `${at}/unmeasured`)}</small>`
        }
      </th>
      ${cells.map((cell) => html`<td>${cell}</td>`)}
    </tr>`;
  });
  const heads = ['arm', 'MainScore', `− ${baseline}`, 'SRCC', 'RMSE', 'readable', 'tokens T = 1', 'gain in tokens'];
  const estimates = (of: QuantityOf, side: 'own' | 'versus', list = arms) =>
    list.map(({ arm, index, ...one }) => {
      const at = `${fileOf(report.id)}#/measures/arms/${index}/${side}/${of}/main_score`;
      return { arm, index, at, estimate: one[side][of]?.main_score };
    });
  return html`<section data-source="${fileOf(report.id)}">
    <h2>Agreement with people</h2>
    ${table('Arms', heads, rows, 'metrics')}
    <p class="note">${basis(report)} A gain is what GRPO adds to the model it began with.</p>
    <div class="charts two">
      ${armIntervals('MainScore', 'after GRPO, 95 % intervals', estimates('grpo', 'own'), 3)}${armIntervals(
        `MainScore − ${baseline}`,
        'on the same pairs, 95 % intervals',
        estimates('grpo', 'versus', others),
        placesOf('main_score'),
        true,
      )}
    </div>
  </section>`;
}

function training(report: ExperimentReport): Html {
  const { experiment, members } = report;
  const series = (of: 'length' | 'reward'): ArmSeries[] =>
    experiment.arms.map(({ name }, index) => {
      const own = [...members.entries()].filter(([, one]) => one.arm === name);
      return {
        arm: name,
        index,
        points: meanOverSeeds(
          own.map(([, one]) => one),
          of,
        ),
        source: own.map(([place]) => `${fileOf(report.id)}#/members/${place}/training`).join(' '),
      };
    });
  return html`<section data-source="${fileOf(report.id)}">
    <h2>Training</h2>
    <div class="charts two">
      ${armLines('Answer length in tokens', 'by step', series('length'))}${armLines(
        'Reward',
        'by step, as each arm is rewarded',
        series('reward'),
      )}
    </div>
  </section>`;
}

/** At each step the mean of those seeds that have logged it. */
function meanOverSeeds(members: readonly MemberReport[], of: 'length' | 'reward'): Point[] {
  const byStep = Map.groupBy(
    members.flatMap(({ training: points }) => points),
    ({ step }) => step,
  );
  return [...byStep]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([step, points]) => {
      const values = points.flatMap((point) => point[of] ?? []);
      return values.length === 0 ? [] : [{ x: step, y: values.reduce((sum, one) => sum + one, 0) / values.length }];
    });
}

function costs(report: ExperimentReport): Html {
  const { experiment } = report;
  const rows = experiment.arms.map(({ name }) => {
    return html`<tr>
      <th scope="row">${name}</th>
      ${costCells(report, name).map((cell) => html`<td>${cell}</td>`)}
    </tr>`;
  });
  return html`<section data-source="${fileOf(report.id)}">
    <h2>Cost</h2>
    ${table('Cost', ['arm', 'GPU-hours spent', 'GPU-hours by itself', 'teacher, spent', 'teacher, by itself'], rows)}
    <p class="note">
      Spent: for what the arm’s runs made themselves. By itself: with what they took from other runs, which was paid
      once, so this column counts shared work in each arm.
    </p>
  </section>`;
}

function runs(report: ExperimentReport): Html {
  const rows = report.members.map(({ arm, seed, run, status, files }, index) => {
    const at = `${fileOf(report.id)}#/members/${index}`;
    const named = run === null ? html`–` : cited(run, `${at}/run`);
    const link = run !== null && files !== null ? html`<a href="../../${files.report}">${named}</a>` : named;
    const from = [files?.evaluation, files?.metrics].flatMap((file) =>
      typeof file === 'string' ? [html`<a href="../../${file}">${file.split('/').at(-1)}</a> `] : [],
    );
    return html`<tr>
      <th scope="row">${arm}</th>
      <td>${cited(String(seed), `${at}/seed`)}</td>
      <td class="left">${status}</td>
      <td class="left">${link}</td>
      <td class="left">${from}</td>
      <td class="left">${overridesOf(report, arm)}</td>
    </tr>`;
  });
  const heads = ['arm', 'seed', '<status', '<run', '<numbers are from', '<what the arm sets'];
  return html`<section data-source="${fileOf(report.id)}">
    <h2>Runs</h2>
    ${table('Runs', heads, rows)}
  </section>`;
}
