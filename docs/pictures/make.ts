/**
 * The pictures of the README, made from a finished demo run. Not part of the tests: it needs Chromium.
 *
 *   node docs/pictures/make.ts                 terminal.svg from npm-start.txt, what `npm start` printed
 *   node docs/pictures/make.ts REPORT.html     report.png too, the top of a run's report
 *
 * Nothing is made up: lines that repeat are left out, and a long line is cut.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const columns = 98;
const [charWidth, lineHeight, margin] = [7.8, 18, 16];

/** Lines that the picture shows. The others repeat. */
const telling = [
  /^worker: up|^wrote|^Temporal UI|^run /,
  / ✓ /,
  / ▶ (?:dataset {2}791|synthesis {2}(?:133|422)|predict-base {2}100|sft {2}(?:39|180|318)|grpo {2}(?:6|30|54)|predict-sft {2}100)\//,
];

/** Marks of stages, as the terminal colours them. */
const colors = { '▶': '#56b6c2', '✓': '#98c379' } as const;

function shownLines(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const results = lines.indexOf('');
  const shown = lines.filter((line, at) => at >= results || telling.some((pattern) => pattern.test(line)));
  return ['$ npm start', ...shown.map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line))];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function styled(line: string): string {
  if (line.startsWith('$')) return `<tspan font-weight="bold">${escaped(line)}</tspan>`;
  return escaped(line).replace(
    / ([▶✓]) /,
    (_, mark: keyof typeof colors) => ` <tspan fill="${colors[mark]}">${mark}</tspan> `,
  );
}

function terminal(text: string): string {
  const lines = shownLines(text);
  const width = Math.ceil(columns * charWidth + 2 * margin);
  const height = lines.length * lineHeight + 2 * margin;
  const rows = lines.map(
    (line, at) =>
      `<text xml:space="preserve" x="${margin}" y="${margin + (at + 0.75) * lineHeight}">${styled(line)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>What npm start prints</title>
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" fill="#d7dae0">
${rows.join('\n')}
</g>
</svg>
`;
}

writeFileSync(join(folder, 'terminal.svg'), terminal(readFileSync(join(folder, 'npm-start.txt'), 'utf8')));

const report = process.argv[2];
if (report !== undefined) {
  const { status } = spawnSync(
    'chromium',
    [
      '--headless',
      '--no-sandbox',
      '--hide-scrollbars',
      '--window-size=1000,985',
      `--screenshot=${join(folder, 'report.png')}`,
      `file://${report}`,
    ],
    { stdio: 'inherit' },
  );
  process.exitCode = status ?? 1;
}
