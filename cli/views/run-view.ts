/**
 * The run as a terminal shows it: pure rendering, state in, lines out. A TTY gets one line for each stage, anything else one line for each event.
 * It knows nothing of Temporal and writes nothing. Control characters are removed from what jobs wrote.
 */
import type { Stage } from '../../domain/names.ts';
import type { OperatorQuestion, RunView, StageProgress, StageStatus, StageView } from '../../domain/jobs/progress.ts';
import {
  clean,
  cleanInOne,
  cleanLines,
  commandIndent,
  cut,
  duration,
  fitted,
  logIndent,
  minuteOf,
} from './run-text.ts';

/** Newest heartbeat details by activity id. */
export type ProgressByActivity = Readonly<Record<string, StageProgress>>;

export interface ViewOptions {
  /** Infinity: lines are not cut. */
  columns: number;
  color: boolean;
  /** How the run ended, where its own code could not say it. */
  word?: string | undefined;
}

const looks: Record<StageStatus, { mark: string; color: number }> = {
  pending: { mark: '·', color: 90 },
  running: { mark: '▶', color: 36 },
  done: { mark: '✓', color: 32 },
  reused: { mark: '↺', color: 32 },
  waiting: { mark: '?', color: 33 },
  paused: { mark: '‖', color: 33 },
  failed: { mark: '✗', color: 31 },
  cancelled: { mark: '✗', color: 33 },
  skipped: { mark: '–', color: 90 },
};
const nameWidth = 13;
const barWidth = 16;
/** In a narrower terminal a bar would push time to go, job and note off the line. */
const columnsForBars = 100;

/**
 * A heading, one line a stage, and what the operator is asked. No line is wider than the terminal but for commands, which are to be copied. Why a
 * stage waits or has failed is said whole below it, if its line is cut.
 */
export function renderRunView(
  view: RunView,
  progress: ProgressByActivity,
  now: Date,
  { columns, color, word }: ViewOptions,
): string[] {
  const width = Math.max(20, columns - 1);
  const stages = view.stages.flatMap((stage) => {
    const parts = stageParts(stage, progressOf(stage, progress), now, columns >= columnsForBars && columns < Infinity);
    const { mark, color: code } = looks[stage.status];
    const whole = `${mark} ${stage.stage.padEnd(nameWidth)} ${parts.join('  ')}`.trimEnd();
    const text = cut(whole, width);
    const line = color
      ? `\u001B[${code}m${text.slice(0, 1)}\u001B[39m${stage.status === 'pending' ? dim(text.slice(1)) : text.slice(1)}`
      : text;
    return text === whole ? [line] : [line, ...reasonLines(stage, view.questions).flatMap((one) => fitted(one, width))];
  });
  const asked = view.questions.flatMap(questionLines).flatMap((line) => fitted(line, width));
  const [head = '', ...standing] = headLines(view, word);
  return [cut(head, width), ...standing.flatMap((line) => fitted(line, width)), ...stages, ...asked];
}

/** A question says by itself why its stage waits. */
function reasonLines({ stage, status, note = '' }: StageView, questions: readonly OperatorQuestion[]): string[] {
  const said = questions.some((question) => question.stage === stage);
  return said || !['waiting', 'failed'].includes(status) ? [] : cleanLines(note).map((line) => `  ${line}`);
}

/** The run, how it stands, and what it goes on from. */
function headLines(view: RunView, word: string | undefined): string[] {
  const { run, status, resumes } = view;
  const standing = word === undefined ? standingOf(view) : undefined;
  return [
    `run ${run}  ${standing?.word ?? word ?? status}`,
    ...(standing === undefined ? [] : [`  ${standing.sentence}`]),
    ...(resumes === undefined ? [] : [`  it resumes run ${resumes}`]),
    ...(standing?.command === undefined ? [] : [`${commandIndent}${standing.command}`]),
  ];
}

interface Standing {
  word: string;
  sentence: string;
  /** What undoes it. */
  command?: string;
}

/** Somebody wants the run to pause or end. Its status says so only when that is done. Undefined of a run that is over or that nobody stops. */
function standingOf({ run, status, cancelling, paused }: RunView): Standing | undefined {
  if (!['running', 'waiting', 'paused'].includes(status)) return undefined;
  if (cancelling !== undefined) return { word: 'cancelling', sentence: 'its jobs are ended, then the run' };
  if (paused === undefined) return undefined;
  const { since, by, note } = paused;
  const who = `since ${minuteOf(since)}${by === undefined ? '' : ` by ${clean(by)}`}${note === undefined ? '' : `: ${cleanInOne(note)}`}`;
  const command = `npm run critic -- unpause ${run}`;
  if (status === 'paused') return { word: 'paused', sentence: who, command };
  return { word: 'pausing', sentence: `jobs save a checkpoint and end; ${who}`, command };
}

interface ToldStage {
  status: StageStatus;
  job: string;
  tenth: number;
  done: number;
  at: number;
  /** Why a try failed. It stays when the next try begins: the same trouble is told once. */
  trouble: string;
}

/** What was last told of each stage, for `describeChanges`. */
export interface Told {
  stages: Partial<Record<Stage, ToldStage>>;
  /** Ids of questions. */
  questions: readonly string[];
  /** That somebody pauses or cancels the run. Empty: nobody does. */
  standing: string;
}

export const nothingTold: Told = { stages: {}, questions: [], standing: '' };

/** A live line is due when another tenth is done, or after this time if there is progress. */
const quietMs = 60_000;

/** Lines for what has changed since `told`, each with its UTC time, and what has been told with them. */
export function describeChanges(
  told: Told,
  view: RunView,
  progress: ProgressByActivity,
  now: Date,
): { lines: string[]; told: Told } {
  const standing = standingOf(view);
  const lines = standingLines(told.standing, standing, now);
  const stages = { ...told.stages };
  for (const stage of view.stages) {
    const live = progressOf(stage, progress);
    const job = `${stage.jobId ?? ''} ${stage.jobState ?? ''} ${stage.attempt ?? 1}`;
    const before = stages[stage.stage];
    const trouble = live?.trouble ?? stage.trouble?.why ?? before?.trouble ?? '';
    const next = { status: stage.status, job, tenth: tenth(live), done: live?.done ?? -1, at: now.getTime(), trouble };
    if (stage.status === 'pending' && before === undefined) continue;
    const event =
      before === undefined || before.status !== next.status || before.job !== next.job || before.trouble !== trouble;
    const moved = before !== undefined && next.done > before.done;
    const due = before !== undefined && (next.tenth > before.tenth || next.at - before.at >= quietMs);
    if (!event && !(stage.status === 'running' && moved && due)) continue;
    stages[stage.stage] = next;
    const parts = stageParts(stage, live, now, false);
    lines.push(`${clock(now)} ${looks[stage.status].mark} ${stage.stage}  ${parts.join('  ')}`.trimEnd());
  }
  lines.push(...view.questions.filter(({ id }) => !told.questions.includes(id)).flatMap(questionLines));
  const questions = view.questions.map(({ id }) => id);
  return { lines, told: { stages, questions, standing: standing?.word ?? '' } };
}

function standingLines(told: string, standing: Standing | undefined, now: Date): string[] {
  if (told === (standing?.word ?? '')) return [];
  if (standing === undefined) return [`${clock(now)} the run is no longer ${told}`];
  const { word, sentence, command } = standing;
  return [`${clock(now)} ${word}: ${sentence}`, ...(command === undefined ? [] : [`${commandIndent}${command}`])];
}

/** Why the run waits, the end of the log, and the commands that go on, after a blank line. */
export function questionLines(question: OperatorQuestion): string[] {
  const tail = question.logTail.trimEnd();
  const log =
    tail === ''
      ? []
      : [
          '  the end of its log:',
          ...tail
            .split('\n')
            .slice(-12)
            .map((line) => `${logIndent}${clean(line)}`),
        ];
  const [why = '', ...further] = cleanLines(question.sentence);
  return [
    '',
    `The run waits for you (${question.stage}): ${why}`,
    ...further.map((line) => `  ${line.trim()}`),
    ...(question.remedy === undefined ? [] : [`  what to do: ${cleanInOne(question.remedy)}`]),
    ...log,
    '  go on with one of:',
    ...question.commands.map((command) => `${commandIndent}${clean(command)}`),
  ];
}

function bar(share: number, width = barWidth): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

/** What follows the name: how far, the live number that matters, ETA, job, time taken, note. */
function stageParts(stage: StageView, live: StageProgress | undefined, now: Date, withBar: boolean): string[] {
  if (stage.status === 'pending') return [];
  const running = stage.status === 'running';
  const parts = running && live !== undefined ? liveParts(live, withBar) : [];
  if (stage.status !== 'running' && stage.status !== 'done') parts.push(stage.status);
  if (stage.jobId !== undefined) parts.push(`job ${stage.jobId}`);
  const state = stage.jobState ?? (running && live?.done === undefined ? live?.state : undefined);
  const ordinary = state === 'COMPLETED' || (state === 'RUNNING' && live?.done !== undefined);
  // Slurm says FAILED of a job that saved a checkpoint and ended.
  if (state !== undefined && !ordinary && stage.status !== 'paused') parts.push(state);
  if (stage.attempt !== undefined && stage.attempt > 1) parts.push(`attempt ${stage.attempt}`);
  if (stage.status !== 'reused') parts.push(took(stage, now));
  // While a try goes on Temporal no longer tells it; the run may know it from a worker.
  const trouble = live?.trouble ?? stage.trouble?.why;
  if (running && trouble !== undefined) parts.push(`tried again after: ${cleanInOne(trouble)}`);
  parts.push(cleanInOne((running ? live?.note : undefined) ?? stage.note ?? ''));
  return parts.filter((part) => part !== '');
}

function liveParts(live: StageProgress, withBar: boolean): string[] {
  const { done, total, unit, loss, reward, responseLength, failed, usd, perMinute, etaSeconds } = live;
  const parts: string[] = [];
  if (done !== undefined && total !== undefined) {
    const count = `${String(done).padStart(String(total).length)}/${total} ${unit ?? ''}`.trimEnd();
    parts.push(withBar ? `${bar(done / Math.max(1, total))} ${count}` : count.trimStart());
  } else if (done !== undefined) {
    parts.push(`${done} ${unit ?? ''}`.trimEnd());
  }
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(3)}`);
  if (reward !== undefined) parts.push(`reward ${reward.toFixed(3)}`);
  if (responseLength !== undefined) parts.push(`length ${responseLength.toFixed(1)}`);
  if (failed !== undefined && failed > 0) parts.push(`${failed} failed`);
  if (usd !== undefined) parts.push(`$${usd.toFixed(2)}`);
  if (perMinute !== undefined && perMinute > 0) parts.push(`${perMinute.toFixed(perMinute < 10 ? 1 : 0)}/min`);
  if (etaSeconds !== undefined && etaSeconds > 0) parts.push(`ETA ${duration(etaSeconds)}`);
  return parts;
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
  if (live?.done === undefined || live.total === undefined) return -1;
  return Math.floor((10 * live.done) / Math.max(1, live.total));
}

function clock(now: Date): string {
  return now.toISOString().slice(11, 19);
}

function dim(text: string): string {
  return `\u001B[90m${text}\u001B[39m`;
}
