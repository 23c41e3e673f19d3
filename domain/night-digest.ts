/** The digest of a night: what people read in the morning. Pure text. */
import { type Night, type NightOutcome, type NightVerdict } from './night.ts';
import { nightNotice, nightTitle } from './night-notices.ts';
import type { Notice } from './notice.ts';

/** What is said of a night that has ended with a run. */
export interface Digested {
  run: string;
  outcome: NightOutcome;
}

const words: Record<NightOutcome['verdict'], string> = {
  passed: 'passed the gate',
  'not-passed': 'did not pass the gate',
  failed: 'failed',
  cancelled: 'was cancelled',
  stopped: 'was stopped by its deadline',
};

/** What a person may want to type about a run that ended so. */
export function commandsOf(verdict: NightVerdict, run: string, night: string): string[] {
  switch (verdict) {
    case 'failed':
    case 'cancelled':
      return [`critic resume ${run}`, `critic status ${run}`];
    case 'not-passed':
    case 'passed':
      return [`critic status ${run}`];
    case 'stopped':
      return [`critic resume ${run}`, `critic schedule describe ${night}`];
    case 'skipped':
    case 'wrong-recipe':
      return [`critic schedule describe ${night}`];
  }
}

export function digestNotice(night: Night, at: string, now: string, { run, outcome }: Digested): Notice {
  const { verdict, sentence, nothingNew } = outcome;
  const news = nothingNew ? ': nothing new' : '';
  return nightNotice(night, at, 'ended', {
    kind: 'night-ended',
    at: now,
    run,
    title: `${nightTitle(night.name, at)} ${words[verdict]}${news}`,
    text: [
      sentence,
      ...(nothingNew ? ['Nothing new: every artifact was there already, and nothing was spent.'] : []),
      ...(verdict === 'stopped' ? ['Nothing is to be done: the next night goes on from there.'] : []),
    ].join('\n'),
    commands: commandsOf(verdict, run, night.name),
  });
}
