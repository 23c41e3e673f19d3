/** What people are told at the end of an experiment. Pure. */
import type { Notice } from '../notices/notice.ts';
import type { ExperimentResult } from './experiment.ts';

/** At most 8,000 characters, as a notice's text may have. */
const mostText = 7_500;

export function experimentNotice(
  { id, report, summary, members }: ExperimentResult,
  at: string,
  question: string,
): Notice {
  const failed = members.filter(({ status }) => status !== 'passed' && status !== 'not-passed');
  const whole = `${members.length} runs`;
  const missing = failed.map(({ arm, seed, status, sentence = '' }) =>
    `${arm}, seed ${seed}: ${status} ${sentence}`.trim(),
  );
  return {
    id: `${id}-ended`,
    kind: 'experiment-ended',
    at,
    title: `${id}: ${failed.length === 0 ? whole : `${members.length - failed.length} of ${whole} came to a verdict`}`,
    text: [question, ...missing, `Report: ${report}`, '', summary].join('\n').slice(0, mostText),
    commands: [`critic experiment status ${id}`, ...(failed.length === 0 ? [] : [`critic experiment resume ${id}`])],
  };
}
