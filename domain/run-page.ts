/**
 * The page of a run in the Temporal UI (its current details), in Markdown: how it stands, what it asks, its stages, what it has made, and what may be
 * typed. Pure: view in, text out. The UI shows tables and links, and no HTML.
 */
import { type OperatorQuestion, openStatuses, type RunView, type StageView } from './jobs/progress.ts';
import { isJobStage } from './names.ts';

const marks: Record<StageView['status'], string> = {
  pending: '·',
  running: '▶',
  done: '✓',
  reused: '↺',
  waiting: '?',
  paused: '‖',
  failed: '✗',
  cancelled: '✗',
  skipped: '–',
};

export function runPage(view: RunView): string {
  return [
    `**${headOf(view)}**`,
    ...(view.resumes === undefined
      ? []
      : ['', `It resumes [${view.resumes}](/namespaces/{namespace}/workflows/${view.resumes}).`]),
    ...pausedLines(view),
    ...reportLines(view),
    ...view.questions.flatMap(questionLines),
    '',
    ...stageTable(view.stages),
    ...artifactTable(view.stages),
    ...commandLines(view),
  ].join('\n');
}

function isOpen({ status }: RunView): boolean {
  return openStatuses.some((one) => one === status);
}

function headOf(view: RunView): string {
  if (!isOpen(view)) return view.status;
  if (view.cancelling === true) return 'cancelling: its jobs are ended, then the run';
  return view.paused !== undefined && view.status !== 'paused'
    ? 'pausing: jobs save a checkpoint and end'
    : view.status;
}

function pausedLines(view: RunView): string[] {
  if (view.paused === undefined || !isOpen(view)) return [];
  const { since, by, note } = view.paused;
  const who = by === undefined ? '' : ` by ${inline(by)}`;
  return [
    '',
    `Paused since ${since}${who}${note === undefined ? '' : `: ${inline(note)}`}. Go on with:`,
    '',
    `    npm run critic -- unpause ${view.run}`,
  ];
}

/** Where the report is served, once it is written. */
function reportLines({ run, pages, stages }: RunView): string[] {
  const isWritten = stages.some(({ stage, status }) => stage === 'report' && status === 'done');
  return typeof pages === 'string' && isWritten ? ['', `[Report](${reportUrl(pages, run)})`] : [];
}

/** Address of a run's report. `pages`: where the store's pages are served, without a slash at the end. */
export function reportUrl(pages: string, run: string): string {
  return `${pages}/runs/${run}/report.html`;
}

function questionLines({ stage, sentence, remedy = '', commands }: OperatorQuestion): string[] {
  const [why = '', ...further] = sentence.split('\n').filter((line) => line.trim() !== '');
  return [
    '',
    `**Waiting for you (${stage}).** ${inline(why)}`,
    ...(further.length === 0 ? [] : ['', ...further.map((line) => `- ${inline(line.trim())}`)]),
    ...(remedy === '' ? [] : ['', inline(remedy)]),
    '',
    ...commands.map((command) => `    ${command}`),
  ];
}

function stageTable(stages: readonly StageView[]): string[] {
  const rows = stages.map((line) => {
    const { stage, status, jobId = '', jobState = '', note = '', trouble } = line;
    const tried = trouble === undefined ? [] : [`tried again, at ${trouble.at.slice(11, 16)} UTC: ${trouble.why}`];
    const notes = [...tried, ...(note === '' ? [] : [note])].join('; ');
    return `| ${marks[status]} | ${stage} | ${status} | ${jobId} ${jobState} | ${inline(notes)} |`;
  });
  return ['| | stage | status | job | note |', '| --- | --- | --- | --- | --- |', ...rows];
}

function artifactTable(stages: readonly StageView[]): string[] {
  const rows = stages.flatMap(({ stage, artifact }) =>
    artifact === undefined ? [] : [`| ${stage} | ${inline(artifact)} |`],
  );
  return rows.length === 0 ? [] : ['', '| made by | artifact |', '| --- | --- |', ...rows];
}

/** What may be typed now. Answers to questions and `unpause` stand above. */
function commandLines(view: RunView): string[] {
  const { run, status, stages, paused, cancelling } = view;
  const critic = (rest: string) => `    npm run critic -- ${rest}`;
  if (!isOpen(view)) {
    const isEarly = status === 'cancelled' || status === 'aborted';
    return ['', critic(`${isEarly ? 'resume' : 'status'} ${run}`)];
  }
  const jobs = stages.filter(
    ({ stage, status: one, jobId }) => isJobStage(stage) && one === 'running' && jobId !== undefined,
  );
  const logs = jobs.map(({ stage }) => critic(`logs ${run} ${stage} -f`));
  if (cancelling === true) return logs.length === 0 ? [] : ['', ...logs];
  return [
    '',
    'From any machine that reaches this server, or here by *More Actions*, *Send an Update*:',
    '',
    critic(`watch ${run}`),
    ...logs,
    ...jobs.map(({ stage }) => critic(`retry ${run} ${stage} --minutes N`)),
    ...(paused === undefined ? [critic(`pause ${run} --note WHY`)] : []),
    critic(`cancel ${run}`),
    '',
    // The UI's frame is a little too low: it must not be a command that is hidden.
    '---',
  ];
}

/** Text of a job, a server or a person in one line, also of a table: nothing in it is taken for Markdown. */
function inline(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ')
    .replaceAll(/[\\`*_[\]<>|~#]/g, (mark) => `\\${mark}`);
}
