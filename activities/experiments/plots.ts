/**
 * Plots of an experiment as inline SVG, without script: numbers of all arms against step on common axes, and a number of each arm with its interval. Pure.
 * Each arm has a colour and a dash of its own everywhere (`arm-0` to `arm-7`, then again); its name stands beside it, so that no reader needs the colour.
 */
import type { Pooled } from '../../domain/experiment/pooling.ts';
import { movingMean } from '../../domain/health/stitch.ts';
import { type Axis, axis } from '../report/axes.ts';
import type { Point } from '../report/data.ts';
import { type Html, html } from '../report/html.ts';

const wide = 340;
const tall = 220;
const frame = { left: 42, right: 12, top: 10, bottom: 26 };
const kinds = 8;

export interface ArmSeries {
  arm: string;
  /** Place of the arm in the experiment. */
  index: number;
  /** By step, ascending; of several seeds their mean. */
  points: Point[];
  /** Where they are from: places in `report.json`, with blanks between. */
  source: string;
}

export function armClass(index: number): string {
  return `arm-${index % kinds}`;
}

/** A moving mean for each arm, what was logged faint behind it. */
export function armLines(title: string, note: string, series: readonly ArmSeries[]): Html {
  const drawn = series.filter(({ points }) => points.length > 1);
  if (drawn.length === 0) return empty(title);
  const all = drawn.flatMap(({ points }) => points);
  const x = axis(
    all.map((point) => point.x),
    frame.left,
    wide - frame.right,
    5,
  );
  const y = axis(
    all.map((point) => point.y),
    tall - frame.bottom,
    frame.top,
    4,
    true,
  );
  const longest = Math.max(...drawn.map(({ points }) => points.length));
  const window = Math.max(3, Math.ceil(longest / 10));
  const lines = drawn.map(({ index, points, source }) => {
    const means = movingMean(
      points.map((point) => point.y),
      window,
    );
    const smooth = points.map((point, place) => ({ x: point.x, y: means[place] ?? point.y }));
    return html`<path data-source="${source}" class="logged ${armClass(index)}" d="${pathOf(points, x, y)}" /><path
        data-source="${source}"
        class="line ${armClass(index)}"
        d="${pathOf(smooth, x, y)}"
      />`;
  });
  const body = html`${rows(y, wide - frame.right)}${columns(x, tall)}${lines}`;
  return figure(title, `${note} · moving mean of ${window} steps`, body, wide, tall, legend(drawn));
}

/** A dot and its 95 % interval for each arm. `at`: the place of its estimate. `zero`: a line at zero, for differences. */
export function armIntervals(
  title: string,
  note: string,
  arms: readonly { arm: string; index: number; at: string; estimate: Pooled | undefined }[],
  places: number,
  zero = false,
): Html {
  const values = arms.flatMap(({ estimate }) => [estimate?.value ?? [], estimate?.interval ?? []].flat());
  if (values.length === 0) return empty(title);
  const line = 30;
  const names = Math.min(150, 12 + 6.6 * Math.max(...arms.map(({ arm }) => arm.length)));
  const height = 12 + arms.length * line + frame.bottom;
  const x = axis(zero ? [...values, 0] : values, names, wide - 58, 4, true);
  const bars = arms.map(({ arm, index, at, estimate }, place) => {
    const y = 12 + place * line + line / 2;
    const drawn = bar(estimate, { index, at, y }, x, places, zero);
    return html`<text class="name" x="0" y="${y + 4}">${arm}</text>${drawn}`;
  });
  const lines = x.ticks.map((tick) => vertical('grid', x.at(tick), 8, height - frame.bottom));
  const origin = zero ? vertical('zero', x.at(0), 4, height - frame.bottom) : undefined;
  return figure(title, note, html`${lines}${origin}${columns(x, height)}${bars}`, wide, height);
}

function bar(
  estimate: Pooled | undefined,
  { index, at, y }: { index: number; at: string; y: number },
  x: Axis,
  places: number,
  sign: boolean,
): Html {
  const value = estimate?.value ?? null;
  if (value === null) return html`<text class="value" x="${wide}" y="${y + 4}" text-anchor="end">–</text>`;
  const bounds = estimate?.interval ?? null;
  const range =
    bounds === null
      ? undefined
      : html`<line
          data-source="${at}/interval"
          class="range ${armClass(index)}"
          x1="${px(x.at(bounds[0]))}"
          x2="${px(x.at(bounds[1]))}"
          y1="${y}"
          y2="${y}"
        />`;
  return html`${range}<circle
      data-source="${at}/value"
      class="point ${armClass(index)}"
      cx="${px(x.at(value))}"
      cy="${y}"
      r="4.5"
    /><text data-source="${at}/value" class="value" x="${wide}" y="${y + 4}" text-anchor="end"
      >${number(value, places, sign)}</text
    >`;
}

function legend(series: readonly ArmSeries[]): Html {
  const entries = series.map(
    ({ arm, index }) =>
      html`<li>
        <svg class="swatch" viewBox="0 0 28 10" aria-hidden="true">
          <line class="line ${armClass(index)}" x1="0" x2="28" y1="5" y2="5" />
        </svg>
        ${arm}
      </li>`,
  );
  return html`<ul class="legend">
    ${entries}
  </ul>`;
}

function figure(title: string, note: string, body: Html, width: number, height: number, below?: Html): Html {
  return html`<figure class="chart">
    <figcaption>${title} <span>${note}</span></figcaption>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">${body}</svg>
    ${below}
  </figure>`;
}

function empty(title: string): Html {
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <p class="none">Nothing was measured.</p>
  </figure>`;
}

function pathOf(points: readonly Point[], x: Axis, y: Axis): string {
  return points.map((point, place) => `${place === 0 ? 'M' : 'L'}${px(x.at(point.x))} ${px(y.at(point.y))}`).join('');
}

function rows(y: Axis, right: number): Html[] {
  return y.ticks.map(
    (tick) =>
      html`<line class="grid" x1="${frame.left}" x2="${right}" y1="${px(y.at(tick))}" y2="${px(y.at(tick))}" /><text
          class="axis"
          x="${frame.left - 7}"
          y="${px(y.at(tick) + 3.5)}"
          text-anchor="end"
          >${label(tick)}</text
        >`,
  );
}

function columns(x: Axis, height: number): Html[] {
  return x.ticks.map(
    (tick) =>
      html`<text class="axis" x="${px(x.at(tick))}" y="${height - 10}" text-anchor="middle">${label(tick)}</text>`,
  );
}

function vertical(kind: string, x: number, from: number, to: number): Html {
  return html`<line class="${kind}" x1="${px(x)}" x2="${px(x)}" y1="${from}" y2="${to}" />`;
}

function label(value: number): string {
  return String(Number(value.toPrecision(4))).replace('-', '−');
}

function number(value: number, places: number, sign: boolean): string {
  const text = value.toFixed(places);
  const plus = sign && Number(text) > 0 ? '+' : '';
  return `${plus}${Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−')}`;
}

function px(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

const light = ['#1f5fa8', '#b9561f', '#2c7a4b', '#8a3f94', '#7a6a12', '#b23c55', '#23777d', '#57534e'];
const dark = ['#7db2ee', '#e8965f', '#7ac796', '#cf93da', '#d0bd55', '#ee8fa4', '#6cc3c9', '#b3ada5'];
const dashes = ['none', '7 3', '2 3', '9 3 2 3', '12 4', '4 4', '1 4', '10 2 1 2 1 2'];

/** Style of what only these pages have. */
export const plotStyle = [
  'path.line,path.logged,svg.swatch line{fill:none;stroke-linejoin:round}',
  '.line{stroke-width:2.2}.logged{stroke-width:1;opacity:.22}',
  'th small{display:block;color:var(--soft);font-size:11px;font-weight:400}',
  // Eight columns fit beside each other with intervals below their numbers.
  'td .bounds{display:block;color:var(--soft);font-size:11.5px;white-space:nowrap}',
  'line.zero{stroke:var(--ink);stroke-width:1}',
  '.legend{display:flex;flex-wrap:wrap;gap:2px 18px;margin:8px 0 0;padding:0;list-style:none;font-size:12.5px}',
  '.legend li{display:flex;align-items:center;gap:7px}.legend svg.swatch{width:28px;height:10px;overflow:hidden}',
  '.verdicts{margin:16px 0 0;padding:0;list-style:none}.verdicts li{padding:10px 0;border-bottom:1px solid var(--line)}',
  '.verdicts b{display:inline-block;min-width:11.5em;font-weight:600}.verdicts .shown b{color:var(--good)}.verdicts .opposite b{color:var(--bad)}',
  '@media (max-width:600px){.verdicts b{display:block}}',
  '.verdicts small{display:block;color:var(--soft);font-size:12.5px;font-variant-numeric:tabular-nums}',
  ...light.map((colour, index) => ruleOf(index, colour, `stroke-dasharray:${dashes[index] ?? 'none'}`)),
  `@media (prefers-color-scheme:dark){${dark.map((colour, index) => ruleOf(index, colour)).join('')}}`,
].join('\n');

function ruleOf(index: number, colour: string, more = ''): string {
  const line = `.line.arm-${index}{stroke:${colour};${more}}`;
  return `${line}.logged.arm-${index},.range.arm-${index}{stroke:${colour}}.point.arm-${index}{fill:${colour}}`;
}
