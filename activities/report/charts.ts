/** Charts as inline SVG: a line with its moving mean, and a scatter with its diagonal. Pure; colours come from the page. */
import { movingMean } from '../../domain/stitch.ts';
import { Html, html } from './html.ts';

export interface Point {
  x: number;
  y: number;
}

const width = 360;
const height = 190;
const left = 44;
const bottom = 26;
const top = 10;
const right = 10;

interface Scale {
  x: (value: number) => number;
  y: (value: number) => number;
  yTicks: number[];
  xTicks: number[];
}

/** Raw values faint, their moving mean strong. Fewer than two points give a sentence instead. */
export function lineChart(title: string, points: readonly Point[], window: number): Html {
  if (points.length < 2)
    return html`<figure class="chart">
      <figcaption>${title}</figcaption>
      <p>no data</p>
    </figure>`;
  const scale = scaleOf(points);
  const smooth = movingMean(
    points.map((point) => point.y),
    window,
  );
  const path = (list: readonly Point[]) =>
    list
      .map((point, i) => `${i === 0 ? 'M' : 'L'}${scale.x(point.x).toFixed(1)} ${scale.y(point.y).toFixed(1)}`)
      .join('');
  const mean = points.map((point, i) => ({ x: point.x, y: smooth[i] ?? point.y }));
  return html`<figure class="chart">
    <figcaption>${title} <span>moving mean of ${window}</span></figcaption>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
      ${axes(scale)}
      <path class="raw" d="${path(points)}" />
      <path class="mean" d="${path(mean)}" />
    </svg>
  </figure>`;
}

/** Predicted against MOS, both in 1..5, with the diagonal. */
export function scatter(title: string, points: readonly Point[]): Html {
  const scale = scaleOf([
    { x: 1, y: 1 },
    { x: 5, y: 5 },
  ]);
  const dots = points.map(
    (point) =>
      html`<circle class="dot" cx="${scale.x(point.x).toFixed(1)}" cy="${scale.y(point.y).toFixed(1)}" r="2.6" />`,
  );
  return html`<figure class="chart">
    <figcaption>${title} <span>MOS →, predicted ↑</span></figcaption>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
      ${axes(scale)}
      <line class="diagonal" x1="${scale.x(1)}" y1="${scale.y(1)}" x2="${scale.x(5)}" y2="${scale.y(5)}" />
      ${dots}
    </svg>
  </figure>`;
}

function axes(scale: Scale): Html {
  const rows = scale.yTicks.map(
    (tick) =>
      html`<line class="grid" x1="${left}" x2="${width - right}" y1="${scale.y(tick)}" y2="${scale.y(tick)}" /><text
          x="${left - 6}"
          y="${scale.y(tick) + 3}"
          text-anchor="end"
          >${label(tick)}</text
        >`,
  );
  const columns = scale.xTicks.map(
    (tick) => html`<text x="${scale.x(tick)}" y="${height - 8}" text-anchor="middle">${label(tick)}</text>`,
  );
  return new Html(html`${rows}${columns}`.text);
}

function scaleOf(points: readonly Point[]): Scale {
  const [x0, x1] = range(points.map((point) => point.x));
  const [y0, y1] = range(points.map((point) => point.y));
  return {
    x: (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right),
    y: (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom),
    xTicks: ticks(x0, x1),
    yTicks: ticks(y0, y1),
  };
}

function range(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** Three to six round numbers within [low, high]. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw) ?? raw;
  const first = Math.ceil(low / step - 1e-9) * step;
  return Array.from({ length: 7 }, (_, i) => first + i * step).filter((tick) => tick <= high + step * 1e-6);
}

function label(value: number): string {
  return String(Number(value.toPrecision(3)));
}
