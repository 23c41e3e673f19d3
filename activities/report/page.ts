/** The report's page: everything a reader needs in one self-contained file. Pure: values in, markup out. */
import type { Interval } from '../../domain/metrics.ts';
import type { Evaluation, ModelMetrics } from '../evaluation.ts';
import { lineChart, type Point, scatter } from './charts.ts';
import { Html, html } from './html.ts';
import { style } from './style.ts';

export interface Sample {
  id: string;
  instruction: string;
  mos: number;
  predicted: number | null;
  answer: string;
  source: string;
  edited: string;
  why: string;
}

export interface ReportData {
  run: string;
  recipe: string;
  startedAt: string;
  finishedAt: string;
  verdict: { passed: boolean; reasons: string[] };
  evaluation: Evaluation;
  loss: Point[];
  reward: Point[];
  responseLength: Point[];
  predicted: { sft: Point[]; grpo: Point[] };
  samples: Sample[];
  findings: { level: string; sentence: string }[];
  facts: [string, string][];
  artifacts: { stage: string; key: string; reused: boolean; madeBy: string }[];
  jobs: { stage: string; attempt: number; jobId: string; state: string; seconds: number; gpuHours: number }[];
  cost: [string, string][];
}

const names = { base: 'base', sft: 'after SFT', grpo: 'after GRPO', constant: 'constant predictor' } as const;
export const modelNames = Object.entries(names);

export function renderPage(data: ReportData): string {
  const { evaluation } = data;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>${data.run} · critic report</title>
        <style>
          ${new Html(style)}
        </style>
      </head>
      <body>
        <header>
          <p class="kicker">Critic report · recipe ${data.recipe}</p>
          <h1>${data.run}</h1>
          <p class="verdict ${data.verdict.passed ? 'yes' : 'no'}">
            ${data.verdict.passed ? 'Gate passed' : 'Gate not passed'}
          </p>
          <p class="reasons">${data.verdict.reasons.join(' · ')}</p>
        </header>
        <section>
          <h2>Agreement with people</h2>
          ${metricsTable(evaluation)}
          <p class="note">${gainSentence(evaluation)}</p>
          ${findings(data)}
        </section>
        <section>
          <h2>Training</h2>
          <div class="charts">
            ${lineChart('SFT loss', data.loss, 20)}${lineChart('GRPO reward', data.reward, 10)}${lineChart('Answer length, tokens', data.responseLength, 10)}
          </div>
        </section>
        <section>
          <h2>Predicted against MOS</h2>
          <div class="charts">
            ${scatter('after SFT', data.predicted.sft)}${scatter('after GRPO', data.predicted.grpo)}
          </div>
        </section>
        <section>
          <h2>Sample critiques</h2>
          <p class="note">Chosen by rule: the smallest, the middle and the largest errors of the test split.</p>
          ${data.samples.map(sample)}
        </section>
        <section>
          <h2>Jobs and cost</h2>
          ${jobs(data)}${facts(data.cost)}
        </section>
        <section>
          <h2>Provenance</h2>
          ${facts(data.facts)}${artifacts(data)}
        </section>
        <footer>Started ${data.startedAt} · finished ${data.finishedAt} · self-contained, no external resource.</footer>
      </body>
    </html>`;
  return `${page.text}\n`;
}

function metricsTable(evaluation: Evaluation): Html {
  const rows = modelNames.flatMap(([key, name]) => {
    const model = Object.entries(evaluation.models).find(([id]) => id === key)?.[1];
    return model === undefined ? [] : [metricsRow(name, model)];
  });
  return html`<div class="scroll">
      <table class="metrics">
        <thead>
          <tr>
            <th></th>
            <th>MainScore</th>
            <th>SRCC</th>
            <th>PLCC fit</th>
            <th>PLCC</th>
            <th>KRCC</th>
            <th>RMSE</th>
            <th>reward T=1</th>
            <th>readable</th>
            <th>tokens</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p class="note">
      Test split, ${evaluation.models.grpo?.n ?? evaluation.models.constant?.n ?? 0} pairs; greedy answers unless T=1 is
      said. Small: 95 % bootstrap intervals.
    </p>`;
}

function metricsRow(name: string, m: ModelMetrics): Html {
  return html`<tr>
    <th>${name}</th>
    <td>${number(m.mainScore)}${interval(m.mainScoreInterval)}</td>
    <td>${number(m.srcc)}${interval(m.srccInterval)}</td>
    <td>${number(m.plccFit)}</td>
    <td>${number(m.plcc)}</td>
    <td>${number(m.krcc)}</td>
    <td>${number(m.rmse)}</td>
    <td>${number(m.rewardSampled)}${interval(m.rewardSampledInterval)}</td>
    <td>${Math.round(m.readable * 100)} %</td>
    <td>${m.tokens === null ? '–' : m.tokens.toFixed(1)}</td>
  </tr>`;
}

/** What may be claimed of GRPO: a gain only where its interval is above zero. */
export function gainSentence({ gain }: Evaluation): string {
  if (gain === null) return 'GRPO and SFT were not both evaluated, so no gain can be stated.';
  const say = (what: string, [low, high]: [number, number]) => {
    const range = `${low.toFixed(3)} to ${high.toFixed(3)}`;
    if (low > 0) return `GRPO raised ${what} (${range}).`;
    if (high < 0) return `GRPO lowered ${what} (${range}).`;
    return `GRPO's change of ${what} is inside the noise (${range}).`;
  };
  const parts = [
    ...(gain.rewardSampled === null ? [] : [say('the held-out reward at temperature 1', gain.rewardSampled)]),
    ...(gain.srcc === null ? [] : [say('SRCC', gain.srcc)]),
  ];
  return `${parts.join(' ')} Paired 95 % intervals of GRPO − SFT.`;
}

function findings(data: ReportData): Html {
  const items = data.findings.map((one) => html`<li class="${one.level}">${one.sentence}</li>`);
  return items.length === 0
    ? html``
    : html`<ul class="findings">
        ${items}
      </ul>`;
}

function sample(one: Sample): Html {
  const predicted = one.predicted === null ? 'unreadable' : one.predicted.toFixed(2);
  return html`<article class="sample">
    <div class="pair">
      <img src="${one.source}" alt="source picture" /><img src="${one.edited}" alt="edited picture" />
    </div>
    <div>
      <p class="instruction">${one.instruction}</p>
      <p class="answer">${one.answer}</p>
      <p class="scores">predicted <b>${predicted}</b> · MOS <b>${one.mos.toFixed(2)}</b> · ${one.why} · ${one.id}</p>
    </div>
  </article>`;
}

function jobs(data: ReportData): Html {
  if (data.jobs.length === 0) return html`<p class="note">No job was run: every artifact was reused.</p>`;
  const rows = data.jobs.map(
    (job) =>
      html`<tr>
        <th>${job.stage}</th>
        <td>${job.attempt}</td>
        <td>${job.jobId}</td>
        <td>${job.state}</td>
        <td>${job.seconds.toFixed(0)}</td>
        <td>${job.gpuHours.toFixed(4)}</td>
      </tr>`,
  );
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>stage</th>
          <th>attempt</th>
          <th>Slurm job</th>
          <th>state</th>
          <th>seconds</th>
          <th>GPU-hours</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

function artifacts(data: ReportData): Html {
  const rows = data.artifacts.map(
    (one) =>
      html`<tr>
        <th>${one.stage}</th>
        <td class="key">${one.key}</td>
        <td>${one.reused ? 'reused' : 'made'}</td>
        <td>${one.madeBy}</td>
      </tr>`,
  );
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>stage</th>
          <th>artifact</th>
          <th></th>
          <th>made by run</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

function facts(list: [string, string][]): Html {
  return html`<dl>
    ${list.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

function number(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}

function interval(bounds: Interval): Html {
  return bounds === null ? html`` : html`<small>${bounds[0].toFixed(3)} – ${bounds[1].toFixed(3)}</small>`;
}
