/** The first part of the page: verdict, what may be claimed, and the table of metrics. Pure. */
import { grpoClaims, grpoHeadline } from '../../domain/critique/claims.ts';
import { type Evaluation, type MetricName, type ModelName, modelNames } from '../../domain/evaluation/evaluation.ts';
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { table } from '../pages/parts.ts';
import { intervalChart } from './charts.ts';
import { modelLabels, type ReportData } from './data.ts';
import { type Html, html } from './html.ts';
import { percent, rewardName, rounded, short } from './summary.ts';

export function header({ run, recipe, gate, evaluation, finishedAt }: ReportData): Html {
  const day = finishedAt.slice(0, 16).replace('T', ' ');
  const verdict =
    gate &&
    html`<p class="verdict ${gate.passed ? 'yes' : 'no'}">${gate.passed ? 'Gate passed' : 'Gate not passed'}</p>`;
  const reasons = gate?.reasons.map((reason) => html`<li>${reason}</li>`);
  return html`<header>
    <p class="kicker">Critic report <span>recipe ${recipe.name} · ${day} UTC</span></p>
    <h1>${run}</h1>
    ${verdict}${
      reasons &&
      html`<ul class="reasons">
        ${reasons}
      </ul>`
    }${evaluation && figures(evaluation)}
  </header>`;
}

/** The four most important numbers of the critic after GRPO. */
function figures(evaluation: Evaluation): Html {
  const grpo = evaluation.models.grpo ?? {};
  const shown: [string, string, Html | undefined][] = [
    ['MainScore', short(grpo.main_score), bounds(grpo.main_score)],
    ['SRCC', short(grpo.srcc), bounds(grpo.srcc)],
    ['Reward at T = 1', short(grpo.reward_sampled), bounds(grpo.reward_sampled)],
    ['Readable', percent(grpo.readable), html`of ${evaluation.pairs} greedy answers`],
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

export function results({ evaluation, findings }: ReportData): Html {
  if (evaluation === undefined) {
    return html`<section>
      <h2>Agreement with people</h2>
      <p class="none">Nothing was evaluated.</p>
    </section>`;
  }
  const claims = grpoClaims(evaluation).map((claim) => html`<li class="${claim.direction}">${claim.sentence}</li>`);
  const found = findings.map((one) => html`<li class="${one.level}">${one.sentence}</li>`);
  return html`<section>
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
    }${tables(evaluation)}
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

function tables(evaluation: Evaluation): Html {
  const { unit, units, resamples } = evaluation.resampling;
  const drawn =
    unit === 'source'
      ? `${units} source images, with all their edits`
      : `${units} pairs (too few sources to draw those)`;
  return html`${metricsTable(evaluation, 'Agreement of each critic with people', agreementColumns)}
    <p class="note">
      Greedy answers to ${evaluation.pairs} pairs of the test split. Small: 95 % bootstrap intervals, ${resamples}
      resamples of ${drawn}. MainScore is the mean of SRCC and PLCC fit, which is PLCC after a 4-parameter logistic.
    </p>
    ${metricsTable(evaluation, 'Reward of each critic', rewardColumns)}
    <p class="note">
      Reward is ${rewardName(evaluation)}. The constant predictor says the train split’s mean MOS, in perfect form.
    </p>`;
}

function metricsTable(evaluation: Evaluation, label: string, columns: readonly Column[]): Html {
  const rows = modelNames.flatMap((model) => row(evaluation, model, columns));
  return table(label, ['Critic', ...columns.map(([, title]) => title)], rows, 'metrics');
}

function row(evaluation: Evaluation, model: ModelName, columns: readonly Column[]): Html[] {
  const metrics = evaluation.models[model];
  if (metrics === undefined) return [];
  const cells = columns.map(([name, , show = short]) => {
    const estimate = metrics[name];
    return html`<td>${show(estimate)}${show === short ? bounds(estimate) : undefined}</td>`;
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

function bounds(estimate: Estimate | undefined, digits = 3): Html | undefined {
  const interval = estimate?.interval ?? null;
  if (interval === null || interval[0] === interval[1]) return undefined;
  return html`<small>${rounded(interval[0], digits)} – ${rounded(interval[1], digits)}</small>`;
}
