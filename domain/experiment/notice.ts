/** What people are told of an experiment: its end, and what keeps it from one. Pure. */
import type { Notice } from '../notices/notice.ts';
import type { ExperimentResult } from './experiment.ts';

/** At most 8,000 characters, as a notice's text may have. */
const mostText = 7_500;

/** `part`: which execution of it has come to this end. One that is reset comes to another. */
export function experimentNotice(
  { id, report, summary, members }: ExperimentResult,
  { part, at }: Omit<AboutExperiment, 'id'>,
  question: string,
): Notice {
  const failed = members.filter(({ status }) => status !== 'passed' && status !== 'not-passed');
  const whole = `${members.length} runs`;
  const missing = failed.map(({ arm, seed, status, sentence = '' }) =>
    `${arm}, seed ${seed}: ${status} ${sentence}`.trim(),
  );
  return {
    id: `${id}-${part}-ended`,
    kind: 'experiment-ended',
    at,
    title: `${id}: ${failed.length === 0 ? whole : `${members.length - failed.length} of ${whole} came to a verdict`}`,
    text: [question, ...missing, `Report: ${report}`, '', summary].join('\n').slice(0, mostText),
    commands: [`critic experiment status ${id}`, ...(failed.length === 0 ? [] : [`critic experiment resume ${id}`])],
  };
}

/** Which experiment. `part` tells two executions of one id apart, e.g. after a reset. */
export interface AboutExperiment {
  id: string;
  part: string;
  at: string;
}

const ends: Readonly<Record<string, string>> = {
  FAILED: 'has failed',
  CANCELED: 'was cancelled',
  CANCELLED: 'was cancelled',
  TERMINATED: 'was terminated',
  TIMED_OUT: 'timed out',
};

/** It ended without a report. `how`: Temporal's status. */
export function experimentFailedNotice({ id, part, at }: AboutExperiment, how: string, why: string): Notice {
  const said = ends[how] ?? `ended (${how})`;
  return {
    id: `${id}-${part}-ended`,
    kind: said === 'was cancelled' ? 'cancelled' : 'failed',
    at,
    title: `${id} ${said} before its report`,
    text: `${why}\nWhat its runs have made is kept, and taken again.`.slice(0, mostText),
    commands: [`critic experiment status ${id}`, `critic experiment resume ${id}`],
  };
}

/** Its workflow code cannot go on. `after`: the last event that it could deal with. */
export function experimentStuckNotice({ id, part, at }: AboutExperiment, why: string, after: number): Notice {
  return {
    id: `${id}-${part}-stuck-${after}`,
    kind: 'stuck',
    at,
    title: `${id} is stuck: its workflow code cannot go on`,
    text: `${why}\nIts runs go on. Deploy a worker whose code can replay it (the release that began it can). If there is none, terminate the experiment and resume it.`.slice(
      0,
      mostText,
    ),
    commands: [`critic experiment status ${id}`, `critic experiment resume ${id}`],
  };
}

const doings: Readonly<Record<string, string>> = { writeExperimentReport: 'its report cannot be written' };

/** An activity of it is tried again and again: told once a day. */
export function experimentWaitsNotice({ id, part, at }: AboutExperiment, activity: string, why: string): Notice {
  return {
    id: `${id}-${part}-waits-${activity}-${at.slice(0, 10)}`,
    kind: 'waiting',
    at,
    title: `${id} cannot go on: ${doings[activity] ?? `${activity} fails`}`,
    text: `${why}\nIt is tried again, and goes on by itself when that is mended.`.slice(0, mostText),
    commands: [`critic experiment status ${id}`],
  };
}
