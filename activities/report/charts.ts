/**
 * Charts as inline SVG, without script: a number against step, predicted score against MOS, and intervals side by side. Pure. Colours come from
 * the page's style sheet by class.
 */
import type { Estimate } from '../../domain/evaluation/resampling.ts';
import { movingMean } from '../../domain/health/stitch.ts';
import { axis } from './axes.ts';
import type { Point, Series } from './data.ts';
import { type Html, html } from './html.ts';
import { rounded } from './summary.ts';

const width = 340;
const height = 210;
const frame = { left: 42, right: 10, top: 10, bottom: 26 };
/** Where the bars of `intervalChart` begin: to the right of the longest name. */
const names = 130;

/** Logged values are faint, their moving mean is strong. A dashed line shows where a later attempt went on. */
export function lineChart(title: string, model: 'sft' | 'grpo', { points, resumes }: Series): Html {
  if (points.length < 2) return emptyChart(title);
  const window = Math.max(3, Math.ceil(points.length / 15));
  const values = points.map((point) => point.y);
  const means = movingMean(values, window);
  const smooth = points.map(({ x }, index) => ({ x, y: means[index] ?? Number.NaN }));
  const x = axis(
    points.map((point) => point.x),
    frame.left,
    width - frame.right,
    5,
  );
  const y = axis(values, height - frame.bottom, frame.top, 4, true);
  const path = (list: readonly Point[]) =>
    list.map((point, index) => `${index === 0 ? 'M' : 'L'}${px(x.at(point.x))} ${px(y.at(point.y))}`).join('');
  const marks = resumes.map(
    ({ step, attempt }) =>
      html`<line
          class="resume"
          x1="${px(x.at(step))}"
          x2="${px(x.at(step))}"
          y1="${frame.top}"
          y2="${height - frame.bottom}"
        /><text class="resume" x="${px(x.at(step) + 4)}" y="${frame.top + 8}">attempt ${attempt}</text>`,
  );
  const end = smooth.at(-1);
  const dot = end && html`<circle class="end ${model}" cx="${px(x.at(end.x))}" cy="${px(y.at(end.y))}" r="3" />`;
  const note = end && html`<span>by step · ends at ${rounded(end.y, digits(end.y))} · moving mean of ${window}</span>`;
  return figure(
    title,
    note,
    html`${grid(y.ticks, y.at)}${columns(x.ticks, x.at)}${marks}<path class="raw ${model}" d="${path(points)}" /><path
        class="mean ${model}"
        d="${path(smooth)}"
      />${dot}`,
  );
}

/** Predicted score against MOS, both 1 to 5, with the diagonal of perfect agreement. */
export function scatter(title: string, model: string, points: readonly Point[]): Html {
  if (points.length === 0) return emptyChart(title);
  const side = 300;
  const x = axis([1, 5], frame.left, side - frame.right, 5, true);
  const y = axis([1, 5], side - frame.bottom, frame.top, 5, true);
  const dots = points.map(
    (point) => html`<circle class="dot ${model}" cx="${px(x.at(point.x))}" cy="${px(y.at(point.y))}" r="3" />`,
  );
  const body = html`${grid(y.ticks, y.at, side)}${columns(x.ticks, x.at, side)}<line
      class="diagonal"
      x1="${px(x.at(1))}"
      y1="${px(y.at(1))}"
      x2="${px(x.at(5))}"
      y2="${px(y.at(5))}"
    />${dots}`;
  return figure(title, html`<span>${points.length} readable answers · MOS →, predicted ↑</span>`, body, side, side);
}

/** One metric of several models: for each a dot and its 95 % interval. The row of a model without a value is empty. */
export function intervalChart(
  title: string,
  rows: readonly { label: string; model: string; estimate: Estimate | undefined }[],
): Html {
  const line = 30;
  const wide = 440;
  const tall = 12 + rows.length * line + frame.bottom;
  const values = rows.flatMap(({ estimate }) => [estimate?.value ?? [], estimate?.interval ?? []].flat());
  if (values.length === 0) return emptyChart(title);
  const x = axis(values, names, wide - 52, 4, true);
  const bars = rows.map(({ label, model, estimate }, index) => {
    const y = 12 + index * line + line / 2;
    return html`<text class="name" x="0" y="${y + 4}">${label}</text>${intervalBar(estimate, model, y, x.at, wide)}`;
  });
  const lines = x.ticks.map(
    (tick) =>
      html`<line class="grid" x1="${px(x.at(tick))}" x2="${px(x.at(tick))}" y1="8" y2="${tall - frame.bottom}" />`,
  );
  return figure(title, undefined, html`${lines}${columns(x.ticks, x.at, tall)}${bars}`, wide, tall);
}

function intervalBar(
  estimate: Estimate | undefined,
  model: string,
  y: number,
  at: (value: number) => number,
  wide: number,
): Html {
  const value = estimate?.value ?? null;
  if (value === null) return html`<text class="axis" x="${names + 4}" y="${y + 4}">undefined</text>`;
  const bounds = estimate?.interval ?? null;
  const bar =
    bounds &&
    html`<line class="range ${model}" x1="${px(at(bounds[0]))}" x2="${px(at(bounds[1]))}" y1="${y}" y2="${y}" />`;
  return html`${bar ?? undefined}<circle class="point ${model}" cx="${px(at(value))}" cy="${y}" r="4.5" /><text
      class="value"
      x="${wide}"
      y="${y + 4}"
      text-anchor="end"
      >${rounded(value)}</text
    >`;
}

export function figure(title: string, note: Html | undefined, body: Html, wide = width, tall = height): Html {
  return html`<figure class="chart">
    <figcaption>${title} ${note}</figcaption>
    <svg viewBox="0 0 ${wide} ${tall}" role="img" aria-label="${title}">${body}</svg>
  </figure>`;
}

export function emptyChart(title: string): Html {
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <p class="none">Nothing was logged.</p>
  </figure>`;
}

export function grid(ticks: readonly number[], at: (value: number) => number, wide = width): Html[] {
  return ticks.map(
    (tick) =>
      html`<line
          class="grid"
          x1="${frame.left}"
          x2="${wide - frame.right}"
          y1="${px(at(tick))}"
          y2="${px(at(tick))}"
        /><text class="axis" x="${frame.left - 7}" y="${px(at(tick) + 3.5)}" text-anchor="end"
          >${tickLabel(tick)}</text
        >`,
  );
}

function columns(ticks: readonly number[], at: (value: number) => number, tall = height): Html[] {
  return ticks.map(
    (tick) =>
      html`<text class="axis" x="${px(at(tick))}" y="${tall - 10}" text-anchor="middle">${tickLabel(tick)}</text>`,
  );
}

function tickLabel(value: number): string {
  return String(Number(value.toPrecision(4))).replace('-', '−');
}

function digits(value: number): number {
  return Math.abs(value) >= 20 ? 1 : 3;
}

export function px(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}
