/** Run notices: what people are told of one run, in sentences, with what to type. Pure. */
import { isSafeName } from '../names.ts';
import type { Notice } from './notice.ts';
import type { RunView } from '../jobs/progress.ts';

/**
 * Tries of one workflow task after which a workflow's code counts as unable to go on: it is stuck. Temporal counts a task that fails or times out, and waits ten
 * seconds and more between later tries, so a worker that restarts does not come so far.
 */
export const hopelessTries = 4;

/** Whom a notice is about. `part` tells two executions of one id apart, e.g. after a reset. */
export interface About {
  run: string;
  part: string;
  at: string;
  night?: string;
  to?: string[];
  /** It scores pairs. */
  isScoring?: true;
}

export type RunEnd =
  | { how: 'passed' | 'not-passed'; reasons: string[]; mainScore: number | null; report: string; reused: string[] }
  | { how: 'failed' | 'cancelled' | 'terminated' | 'timed-out'; why: string };

const critic = 'npm run critic --';

function named({ run, isScoring }: About): string {
  return `${isScoring === true ? 'scoring' : 'run'} ${run}`;
}

/** The command that goes on where it ended early. */
function resuming({ run, isScoring }: About): string {
  return `${critic} ${isScoring === true ? 'score --resume' : 'resume'} ${run}`;
}

/** What a person may do about a critic that has no MainScore, such as one that gives every pair the same score. */
export const noMainScoreAdvice =
  'Such a critic does not tell pairs apart: read its answers in the report, then train it longer (sft.epochs, grpo.steps) or with another seed.';

export function endedNotice(about: About, end: RunEnd): Notice {
  if (!('why' in end)) {
    const score = end.mainScore === null ? 'MainScore undefined' : `MainScore ${end.mainScore.toFixed(3)}`;
    // The evaluation is reused only if every prediction is, and so everything before.
    const isNew = !end.reused.includes('evaluation');
    const verdict = end.how === 'passed' ? 'passed the gate' : 'has not passed the gate';
    return {
      ...base(about, 'ended'),
      kind: end.how,
      title: `${named(about)} ${verdict}: ${score}${isNew ? '' : '; nothing new, every stage was reused'}`,
      text: [...end.reasons, `Report: ${end.report}`, ...(end.mainScore === null ? [noMainScoreAdvice] : [])].join(
        '\n',
      ),
      commands: [`${critic} status ${about.run}`],
    };
  }
  const said = {
    failed: 'has failed',
    cancelled: 'was cancelled',
    terminated: 'was terminated',
    'timed-out': 'timed out',
  };
  return {
    ...base(about, 'ended'),
    kind: end.how === 'cancelled' ? 'cancelled' : 'failed',
    title: `${named(about)} ${said[end.how]}`,
    text: end.why,
    commands: [resuming(about)],
  };
}

/**
 * One notice for each open question, and one for each stage that waits without one, such as a job that Slurm holds. A stage that waits again on another day
 * is told again; one that comes and goes is told once a day.
 */
export function waitingNotices(about: About, { questions, stages, waitingSince = '' }: RunView): Notice[] {
  const asked = questions.map(({ id, stage, sentence, remedy, commands }): Notice => {
    return {
      ...base(about, `asks-${id}`),
      kind: 'waiting',
      title: `${named(about)} waits for an answer about ${stage}`,
      text: [sentence, ...(remedy === undefined ? [] : [remedy])].join('\n'),
      commands,
    };
  });
  const held = stages.filter(
    ({ stage, status }) => status === 'waiting' && !questions.some((question) => question.stage === stage),
  );
  const waiting = held.map(({ stage, attempt, note = '' }): Notice => {
    return {
      ...base(about, `waits-${stage}-${attempt ?? 0}-${waitingSince.slice(0, 10)}`),
      kind: 'waiting',
      title: `${named(about)} cannot go on with ${stage}`,
      text: `${note}\nIt goes on by itself when that is mended.`,
      commands: [`${critic} status ${about.run}`],
    };
  });
  return [...asked, ...waiting];
}

/**
 * The run's workflow code fails again and again: it was changed in a way that old histories do not follow, or has a bug. `after`: the last event that it could
 * deal with, so that a run which was mended and is stuck again is told again.
 */
export function stuckNotice(about: About, why: string, after: number): Notice {
  return {
    ...base(about, `stuck-${after}`),
    kind: 'stuck',
    title: `${named(about)} is stuck: its workflow code cannot go on`,
    text: `${why}\nIts jobs run on, and nothing is lost. Deploy a worker whose code can replay it (the release that began it can). If there is none, terminate the run and resume it.`,
    commands: [`${critic} status ${about.run}`, resuming(about)],
  };
}

export function budgetNotice(about: About, { spent, cap }: { spent: number; cap: number }): Notice {
  return {
    ...base(about, `budget-${cap}`),
    kind: 'budget',
    title: `${named(about)} has spent ${spent.toFixed(2)} of ${cap.toFixed(2)} USD`,
    text: 'At the cap it stops asking the teacher, keeps what it has, and asks you.',
    commands: [`${critic} status ${about.run}`],
  };
}

function base({ run, part, at, night, to }: About, what: string) {
  const whose = isSafeName(run, 100) ? run : run.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 100);
  return {
    id: [`run-${whose}`.replace(/\.\.+/g, '.'), part, what].filter((one) => one !== '').join('-'),
    at,
    run,
    ...(night === undefined ? {} : { night }),
    ...(to === undefined ? {} : { to }),
  };
}

/** What a run's numbers and answers say while it trains, once for a stage. */
export function healthNotice(about: About, stage: string, signs: readonly { sentence: string }[]): Notice {
  return {
    ...base(about, `health-${stage}`),
    kind: 'health',
    title: `${named(about)}: ${stage} trains sick`,
    text: [
      ...signs.map(({ sentence }) => `${sentence[0]?.toUpperCase() ?? ''}${sentence.slice(1)}.`),
      'One such sign may be a false alarm; two of different kinds seldom are. What follows is as recipe.watch.health says.',
    ].join('\n'),
    commands: [`${critic} status ${about.run}`, `${critic} pause ${about.run}`],
  };
}
