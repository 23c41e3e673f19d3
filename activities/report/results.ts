/** The first part of the page: verdict, what may be claimed, and the table of metrics. Pure. */
import { grpoClaims, grpoHeadline } from '../../domain/critique/claims.ts';
import { type Evaluation, type MetricName, type ModelName, modelNames } from '../../domain/evaluation/evaluation.ts';
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { cited, table, time } from '../pages/parts.ts';
import { intervalChart } from './charts.ts';
import { modelLabels, type ReportData } from './data.ts';
import { type Html, html } from './html.ts';
import { percent, rewardName, rounded, short } from './summary.ts';

export function header(data: ReportData): Html {
  const { run, recipe, gate, finishedAt, sources, links } = data;
  const { report } = sources;
  const verdict =
    gate &&
    html`<p class="verdict ${gate.passed ? 'yes' : 'no'}">${gate.passed ? 'Gate passed' : 'Gate not passed'}</p>`;
  const reasons = gate?.reasons.map(
    (reason, index) => html`<li>${cited(reason, `${report}#/gate/reasons/${index}`)}</li>`,
  );
  return html`<header>
    <p class="kicker">
      Critic report
      <span
        >recipe ${cited(recipe.name, `${report}#/recipe`)} ·
        ${cited(finishedAt.slice(0, 16).replace('T', ' '), `${report}#/finishedAt`)} UTC</span
      >
    </p>
    <h1>${cited(run, `${report}#/run`)}</h1>
    ${verdict}${
      reasons &&
      html`<ul class="reasons">
        ${reasons}
      </ul>`
    }${figures(data)}
    <nav class="ways" aria-label="Further pages">
      ${links.temporal === undefined ? undefined : html`<a href="${links.temporal}">The run in Temporal</a>`}
      <a href="../../nights.html">All nights</a> <a href="report.json">Its numbers as JSON</a>
    </nav>
  </header>`;
}

/** What went wrong, before anything else. Nothing if all went well. */
export function troubles({ jobs, findings, evaluation, uncertain, sources }: ReportData): Html {
  const attempts = jobs.flatMap((job, index) => {
    if (job.state === 'COMPLETED') return [];
    const at = `${sources.report}#/jobs/${index}`;
    return [
      html`<li class="warning">
        ${cited(job.stage, `${at}/stage`)}, attempt ${cited(String(job.attempt), `${at}/attempt`)} (job
        ${cited(job.jobId, `${at}/jobId`)}): ${cited(job.state, `${at}/state`)} after
        ${cited(time(job.seconds), `${at}/seconds`)}
      </li>`,
    ];
  });
  const warnings = findings.filter(({ level }) => level === 'warning');
  const told = sources.evaluation ?? sources.report;
  // That the base, before any training, gives few readable answers is no fault of the run.
  const refused = Object.entries(evaluation?.refused ?? {}).flatMap(([model, why]) =>
    model === 'base'
      ? []
      : [html`<li class="warning">${labelOf(model)}: ${cited(why, `${told}#/refused/${model}`)}</li>`],
  );
  const health = warnings.map(
    ({ sentence }) => html`<li class="warning" data-source="${sources.grpo ?? told}">${sentence}</li>`,
  );
  const paid =
    uncertain.length === 0
      ? []
      : [
          html`<li class="warning" data-source="${sources.report}">
            ${uncertain.length} requests to the teacher may have been paid and brought nothing
          </li>`,
        ];
  const all = [...refused, ...health, ...attempts, ...paid];
  if (all.length === 0) return html``;
  return html`<section>
    <h2>Look at this first</h2>
    <ul class="findings">
      ${all}
    </ul>
  </section>`;
}

function labelOf(model: string): string {
  const known: Readonly<Record<string, string>> = modelLabels;
  return known[model] ?? model;
}

/** The four most important numbers of the critic after GRPO. */
function figures({ evaluation, sources }: ReportData): Html | undefined {
  if (evaluation === undefined || sources.evaluation === undefined) return undefined;
  const grpo = evaluation.models.grpo ?? {};
  const at = (metric: MetricName) => `${sources.evaluation}#/models/grpo/${metric}`;
  const shown: [string, Html, Html | undefined][] = [
    ['MainScore', number(grpo.main_score, at('main_score')), bounds(grpo.main_score, at('main_score'))],
    ['SRCC', number(grpo.srcc, at('srcc')), bounds(grpo.srcc, at('srcc'))],
    [
      'Reward at T = 1',
      number(grpo.reward_sampled, at('reward_sampled')),
      bounds(grpo.reward_sampled, at('reward_sampled')),
    ],
    [
      'Readable',
      number(grpo.readable, at('readable'), percent),
      html`of ${cited(String(evaluation.pairs), `${sources.evaluation}#/pairs`)} greedy answers`,
    ],
  ];
  return html`<dl class="figures">
    ${shown.map(
      ([name, value, note]) =>
        html`<div>
          <dt data-source="${sources.evaluation}">${name}</dt>
          <dd>${value}<small>${note}</small></dd>
        </div>`,
    )}
  </dl>`;
}

/** An estimate's value, with where it is. `at`: of the whole estimate. */
function number(
  estimate: Estimate | undefined,
  at: string,
  show: (one: Estimate | undefined) => string = (one) => short(one),
): Html {
  const said = show(estimate);
  return said === '–' ? html`–` : cited(said, `${at}/value`);
}

export function results({ evaluation, findings, sources }: ReportData): Html {
  if (evaluation === undefined || sources.evaluation === undefined) {
    return html`<section>
      <h2>Agreement with people</h2>
      <p class="none">Nothing was evaluated.</p>
    </section>`;
  }
  const claims = grpoClaims(evaluation).map((claim) => html`<li class="${claim.direction}">${claim.sentence}</li>`);
  const found = findings.map((one) => html`<li class="${one.level}">${one.sentence}</li>`);
  return html`<section data-source="${sources.evaluation}">
    <h2>Agreement with people</h2>
    <p class="lead">${grpoHeadline(evaluation)}</p>
    ${
      claims.length > 0
        ? html`<ul class="claims">
              ${claims}
            </ul>
            <p class="note">
              GRPO − SFT on the same pairs. A gain is claimed only where the whole 95 % interval is above zero.
            </p>`
        : undefined
    }${tables(evaluation, sources.evaluation)}
    <div class="charts two">
      ${chart(evaluation, 'main_score', 'MainScore')}${chart(evaluation, 'reward_sampled', 'Reward at temperature 1')}
    </div>
    ${
      found.length > 0
        ? html`<h3>Health of the training and its answers</h3>
            <ul class="findings">
              ${found}
            </ul>`
        : undefined
    }
  </section>`;
}

function chart(evaluation: Evaluation, metric: MetricName, title: string): Html {
  const rows = modelNames.flatMap((model) => {
    const metrics = evaluation.models[model];
    return metrics === undefined ? [] : [{ label: modelLabels[model], model, estimate: metrics[metric] }];
  });
  return intervalChart(title, rows);
}

type Column = readonly [name: MetricName, title: string, show?: (estimate: Estimate | undefined) => string];

const agreementColumns: readonly Column[] = [
  ['main_score', 'MainScore'],
  ['srcc', 'SRCC'],
  ['plcc_fit', 'PLCC fit'],
  ['plcc', 'PLCC'],
  ['krcc', 'KRCC'],
  ['rmse', 'RMSE'],
];

const rewardColumns: readonly Column[] = [
  ['reward_sampled', 'Reward T = 1'],
  ['reward_greedy', 'Reward greedy'],
  ['accuracy_sampled', 'Accuracy T = 1'],
  ['accuracy_greedy', 'Accuracy greedy'],
  ['tokens_greedy', 'Tokens', tokens],
  ['readable', 'Readable', percent],
];

function tables(evaluation: Evaluation, file: string): Html {
  const { unit, units, resamples } = evaluation.resampling;
  const drawn =
    unit === 'source'
      ? `${units} source images, with all their edits`
      : `${units} pairs (too few sources to draw those)`;
  return html`${metricsTable(evaluation, file, 'Agreement of each critic with people', agreementColumns)}
    <p class="note">
      Greedy answers to ${evaluation.pairs} pairs of the test split. Small: 95 % bootstrap intervals, ${resamples}
      resamples of ${drawn}. MainScore is the mean of SRCC and PLCC fit, which is PLCC after a 4-parameter logistic.
    </p>
    ${metricsTable(evaluation, file, 'Reward of each critic', rewardColumns)}
    <p class="note">
      Reward is ${rewardName(evaluation)}. The constant predictor says the train split’s mean MOS, in perfect form.
    </p>`;
}

function metricsTable(evaluation: Evaluation, file: string, label: string, columns: readonly Column[]): Html {
  const rows = modelNames.flatMap((model) => row(evaluation, file, model, columns));
  return table(label, ['Critic', ...columns.map(([, title]) => title)], rows, 'metrics');
}

function row(evaluation: Evaluation, file: string, model: ModelName, columns: readonly Column[]): Html[] {
  const metrics = evaluation.models[model];
  if (metrics === undefined) return [];
  const cells = columns.map(([name, , show = short]) => {
    const estimate = metrics[name];
    const at = `${file}#/models/${model}/${name}`;
    return html`<td>
      ${number(estimate, at, (one) => show(one))}${show === short ? bounds(estimate, at) : undefined}
    </td>`;
  });
  return [
    html`<tr class="${model}">
      <th scope="row">${modelLabels[model]}</th>
      ${cells}
    </tr>`,
  ];
}

function tokens(estimate: Estimate | undefined): string {
  return short(estimate, 1);
}

function bounds(estimate: Estimate | undefined, at: string): Html | undefined {
  const interval = estimate?.interval ?? null;
  if (interval === null || interval[0] === interval[1]) return undefined;
  const [low, high] = interval;
  return html`<small>${cited(rounded(low), `${at}/interval/0`)} – ${cited(rounded(high), `${at}/interval/1`)}</small>`;
}
