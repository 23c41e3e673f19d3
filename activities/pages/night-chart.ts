/** MainScore of a schedule's nights over time, each with its interval, and the champion that it was compared with. Pure, inline SVG. */
import { axis } from '../report/axes.ts';
import { emptyChart, figure, grid, px } from '../report/charts.ts';
import { type Html, html } from '../report/html.ts';
import type { NightRow } from './night-rows.ts';

const wide = 960;
const tall = 260;
const frame = { left: 42, right: 14, top: 12, bottom: 30 };
const dayMs = 86_400_000;

interface Mark {
  x: number;
  value: number;
  interval: readonly [number, number] | null;
  champion: number | null;
  kind: string;
  title: string;
}

/** `rows` in any order; those without a score are left out. */
export function nightChart(name: string, rows: readonly NightRow[]): Html {
  const marks = rows.flatMap(markOf).toSorted((a, b) => a.x - b.x);
  const title = `MainScore of ${name} by night`;
  if (marks.length === 0) return emptyChart(title);
  const values = marks.flatMap(({ value, interval, champion }) => [value, ...(interval ?? []), champion ?? []].flat());
  const x = axis(
    marks.map((mark) => mark.x),
    frame.left + 12,
    wide - frame.right,
    6,
  );
  const y = axis(values, tall - frame.bottom, frame.top, 5, true);
  const body = html`${grid(y.ticks, y.at, wide)}${dates(marks, x.at)}${championLine(marks, x.at, y.at)}${marks.map(
    ({ x: at, value, interval, kind, title: said }) =>
      html`<g>
        <title>${said}</title>
        ${
          interval === null
            ? undefined
            : html`<line
                class="span ${kind}"
                x1="${px(x.at(at))}"
                x2="${px(x.at(at))}"
                y1="${px(y.at(interval[0]))}"
                y2="${px(y.at(interval[1]))}"
              />`
        }
        <circle class="mark ${kind}" cx="${px(x.at(at))}" cy="${px(y.at(value))}" r="4" />
      </g>`,
  )}`;
  const note = html`<span
    >dots with 95 % intervals: the nights, filled if passed · line: the champion before each</span
  >`;
  return figure(title, note, body, wide, tall);
}

function markOf({ at, verdict, digest }: NightRow): Mark[] {
  const score = digest?.score;
  if (score === undefined || score === null || score.value === null) return [];
  const { value, interval } = score;
  const champion = digest?.champion?.mainScore ?? null;
  const title = `${at.slice(0, 10)}: ${value.toFixed(3)}`;
  return [{ x: Date.parse(at), value, interval, champion, kind: verdict === 'passed' ? 'yes' : 'no', title }];
}

/** A line that steps where the champion changes. */
function championLine(marks: readonly Mark[], x: (at: number) => number, y: (value: number) => number): Html {
  const known = marks.flatMap(({ x: at, champion }) => (champion === null ? [] : [{ at, champion }]));
  const path = known
    .map(({ at, champion }, index) =>
      index === 0 ? `M${px(x(at))} ${px(y(champion))}` : `H${px(x(at))}V${px(y(champion))}`,
    )
    .join('');
  return path === '' ? html`` : html`<path class="champion" d="${path}" />`;
}

/** At most seven dates, each once, under nights that were. */
function dates(marks: readonly Mark[], x: (at: number) => number): Html[] {
  const days = [...new Set(marks.map((mark) => Math.floor(mark.x / dayMs)))];
  const every = Math.ceil(days.length / 7);
  return days
    .filter((_, index) => index % every === 0)
    .map((day) => {
      const first = marks.find((mark) => Math.floor(mark.x / dayMs) === day)?.x ?? day * dayMs;
      const text = new Date(day * dayMs).toISOString().slice(5, 10);
      return html`<text class="axis" x="${px(x(first))}" y="${tall - 10}" text-anchor="middle">${text}</text>`;
    });
}
