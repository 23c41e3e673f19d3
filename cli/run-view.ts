/**
 * The run as a terminal shows it: pure rendering, state in, lines out. A TTY gets one line a stage, repainted; anything else
 * one line an event. It knows nothing of Temporal.
 */
import type { OperatorQuestion, RunView, StageProgress, StageStatus, StageView } from '../domain/progress.ts';

export type ProgressByActivity = Record<string, StageProgress>;

const marks: Record<StageStatus, string> = {
  pending: '·',
  running: '▶',
  done: '✓',
  reused: '↺',
  waiting: '?',
  failed: '✗',
  skipped: '–',
};
const colours: Record<StageStatus, number> = {
  pending: 90,
  running: 36,
  done: 32,
  reused: 32,
  waiting: 33,
  failed: 31,
  skipped: 90,
};

/** One line a stage, at most `columns` wide. */
export function renderRunView(
  view: RunView,
  progress: ProgressByActivity,
  now: Date,
  columns: number,
  colour: boolean,
): string[] {
  const lines = view.stages.map((stage) => {
    const text = stageLine(stage, progressOf(stage, progress), now).slice(0, Math.max(20, columns - 1));
    return colour ? `\u001B[${colours[stage.status]}m${text}\u001B[0m` : text;
  });
  return [
    `run ${view.run}  ${view.status}`,
    ...lines,
    ...(view.question === undefined ? [] : questionLines(view.question)),
  ];
}

/** Lines for what changed since `before`: for logs and pipes. Live numbers appear each time another tenth is done. */
export function describeChanges(
  before: RunView | undefined,
  after: RunView,
  old: ProgressByActivity,
  progress: ProgressByActivity,
  now: Date,
): string[] {
  const lines = after.stages.flatMap((stage) => {
    const previous = before?.stages.find((one) => one.stage === stage.stage);
    const changed =
      previous?.status !== stage.status || previous.jobId !== stage.jobId || previous.jobState !== stage.jobState;
    if (changed && stage.status !== 'pending') return [stageLine(stage, progressOf(stage, progress), now)];
    const live = progressOf(stage, progress);
    return stage.status === 'running' && tenth(live) > tenth(progressOf(stage, old))
      ? [stageLine(stage, live, now)]
      : [];
  });
  const asked = after.question !== undefined && before?.question === undefined ? questionLines(after.question) : [];
  return [...lines, ...asked];
}

function stageLine(stage: StageView, live: StageProgress | undefined, now: Date): string {
  const head = `${marks[stage.status]} ${stage.stage.padEnd(13)}`;
  if (stage.status === 'pending') return head.trimEnd();
  const parts = [stage.status.padEnd(8), ...(stage.status === 'running' && live !== undefined ? liveParts(live) : [])];
  if (stage.jobId !== undefined) parts.push(`job ${stage.jobId} ${stage.jobState ?? ''}`.trim());
  if (stage.attempt !== undefined && stage.attempt > 1) parts.push(`attempt ${stage.attempt}`);
  parts.push(took(stage, now));
  if (stage.note !== undefined && stage.note !== '') parts.push(stage.note);
  return `${head} ${parts.filter((part) => part !== '').join('  ')}`.trimEnd();
}

function liveParts(live: StageProgress): string[] {
  const parts: string[] = [];
  if (live.done !== undefined && live.total !== undefined) {
    parts.push(`${bar(live.done / Math.max(1, live.total))} ${live.done}/${live.total} ${live.unit ?? ''}`.trimEnd());
  }
  if (live.loss !== undefined) parts.push(`loss ${live.loss.toFixed(3)}`);
  if (live.reward !== undefined) parts.push(`reward ${live.reward.toFixed(3)}`);
  if (live.responseLength !== undefined) parts.push(`length ${live.responseLength.toFixed(1)}`);
  if (live.usd !== undefined) parts.push(`$${live.usd.toFixed(2)}`);
  if (live.etaSeconds !== undefined && live.etaSeconds > 0) parts.push(`ETA ${duration(live.etaSeconds)}`);
  return parts;
}

export function questionLines(question: OperatorQuestion): string[] {
  const log =
    question.logTail === ''
      ? []
      : [
          '  the end of its log:',
          ...question.logTail
            .trimEnd()
            .split('\n')
            .slice(-12)
            .map((line) => `  | ${line}`),
        ];
  return [
    '',
    `The run waits for you (${question.stage}): ${question.sentence}`,
    ...log,
    '  go on with one of:',
    ...question.commands.map((command) => `    ${command}`),
  ];
}

export function bar(share: number, width = 16): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

/** `75` → `1:15`, `4000` → `1:06:40`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function took(stage: StageView, now: Date): string {
  if (stage.startedAt === undefined) return '';
  const end = stage.finishedAt === undefined ? now.getTime() : Date.parse(stage.finishedAt);
  return duration((end - Date.parse(stage.startedAt)) / 1000);
}

function progressOf(stage: StageView, progress: ProgressByActivity): StageProgress | undefined {
  return stage.activityId === undefined ? undefined : progress[stage.activityId];
}

function tenth(live: StageProgress | undefined): number {
  return live?.done === undefined || live.total === undefined
    ? -1
    : Math.floor((10 * live.done) / Math.max(1, live.total));
}
