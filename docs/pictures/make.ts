/**
 * The pictures of the documents, made from what ran. Not part of the tests: it needs Chromium.
 *
 *   node docs/pictures/make.ts                   terminal.svg from npm-start.txt, what `npm start` printed
 *   node docs/pictures/make.ts --report FILE     report.png: the top of a run's report
 *   node docs/pictures/make.ts --experiment FILE  experiment.png, or what --as names: an experiment's report, whole
 *   node docs/pictures/make.ts --nights           nights.png: nights.html of three weeks of nights that tests make up
 *   node docs/pictures/make.ts --run RUN         runs.svg, status.svg: what the command prints of the local stack that is up;
 *                                                ui-runs.png, ui-run.png: its Temporal UI (ui.ts); of a run whose SFT asks
 *                                                also ui-answer.png: the form for answers, refusing a wrong one
 *
 * Nothing else is made up: lines that repeat are left out, and a long line is cut.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { writeNights } from '../../activities/pages/nights.ts';
import { ArtifactStore } from '../../activities/store/artifact-store.ts';
import { threeWeeks } from '../../tests/activities/pages/nights-fixtures.ts';
import { port, stackConfig } from '../../infra/local/stack-config.ts';
import { photograph, photographUi } from './ui.ts';

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

/** Of what a watched run prints, the lines that tell, and the table at its end whole. */
function tellingLines(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const results = lines.indexOf('');
  return lines.filter((line, at) => at >= results || telling.some((pattern) => pattern.test(line)));
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

/** A picture of a terminal in which `command` was typed. */
function terminal(command: string, printed: readonly string[]): string {
  const lines = [
    `$ ${command}`,
    ...printed.map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line)),
  ];
  const width = Math.ceil(columns * charWidth + 2 * margin);
  const height = lines.length * lineHeight + 2 * margin;
  const rows = lines.map(
    (line, at) =>
      `<text xml:space="preserve" x="${margin}" y="${margin + (at + 0.75) * lineHeight}">${styled(line)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>What ${escaped(command)} prints</title>
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" fill="#d7dae0">
${rows.join('\n')}
</g>
</svg>
`;
}

function write(name: string, picture: string): void {
  writeFileSync(join(folder, name), picture);
}

/** What `critic …` prints of the local stack that is up. */
function outputOf(...args: string[]): string[] {
  const cli = join(folder, '../../cli/main.ts');
  return execFileSync(process.execPath, [cli, ...args], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');
}

const { values } = parseArgs({
  options: {
    report: { type: 'string' },
    experiment: { type: 'string' },
    as: { type: 'string', default: 'experiment.png' },
    nights: { type: 'boolean' },
    run: { type: 'string' },
  },
});
const { report, experiment, as: name, nights, run } = values;

write('terminal.svg', terminal('npm start', tellingLines(readFileSync(join(folder, 'npm-start.txt'), 'utf8'))));
if (report !== undefined) {
  await photograph(pathToFileURL(report).href, join(folder, 'report.png'), { width: 1000, height: 985 });
}
if (experiment !== undefined) {
  const size = { width: 1000, height: 985 };
  await photograph(pathToFileURL(experiment).href, join(folder, name), size, { fullPage: true });
}
if (nights === true) {
  const store = new ArtifactStore(mkdtempSync(join(tmpdir(), 'critic-nights-')));
  await threeWeeks(store);
  const { path } = await writeNights({ store }, () => new Date('2026-11-22T08:00:00Z'));
  await photograph(pathToFileURL(path).href, join(folder, 'nights.png'), { width: 1000, height: 985 });
  rmSync(store.root, { recursive: true });
}
if (run !== undefined) {
  write('runs.svg', terminal('critic runs', outputOf('runs', '--limit', '12')));
  write('status.svg', terminal(`critic status ${run}`, outputOf('status', run)));
  await photographUi(`http://127.0.0.1:${port(stackConfig(), 'temporalUi')}`, run, folder);
}
