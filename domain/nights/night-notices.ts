/** What people are told of a night. Pure. Each happening has one id, so it is told once, whoever notices it. */
import type { Notice } from '../notices/notice.ts';
import { type Night, nightNoticeId } from './night.ts';

type Told = Pick<Night, 'name' | 'tell'>;

/** Characters of a title at most. */
const titleChars = 200;

/** A notice of night `night` at `at` (ISO). `what` tells apart what can happen to one night. */
export function nightNotice(
  night: Told,
  at: string,
  what: 'skipped' | 'failed' | 'ended' | 'late' | 'deadline' | 'not-begun' | 'unreadable',
  told: Pick<Notice, 'kind' | 'title' | 'text' | 'commands' | 'also'> & { at: string; run?: string },
): Notice {
  return {
    // A night that is backfilled after it has failed has two runs.
    id: nightNoticeId(night.name, at, told.run === undefined ? what : `${what}-${told.run}`),
    night: night.name,
    ...told,
    title: cut(told.title),
    text: told.text.slice(0, 8000),
    ...(night.tell === undefined ? {} : { to: night.tell }),
  };
}

/** `night x of 2026-11-28 01:00 UTC` */
export function nightTitle(name: string, at: string): string {
  return `night ${name} of ${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** A night that did not take place. */
export function skippedNotice(night: Told, at: string, now: string, why: string, commands: string[]): Notice {
  return nightNotice(night, at, 'skipped', {
    kind: 'night-skipped',
    at: now,
    title: `${nightTitle(night.name, at)} did not take place: ${why}`,
    text: why,
    commands: [...commands, `critic schedule describe ${night.name}`],
  });
}

/** A night without a run: its recipe, or the night itself, is wrong. */
export function wrongNotice(night: Night, at: string, now: string, why: string): Notice {
  return nightNotice(night, at, 'failed', {
    kind: 'night-failed',
    at: now,
    title: `${nightTitle(night.name, at)} began no run: ${why.split('\n')[0] ?? ''}`,
    text: `${why}\n\n${night.pause_on_failure ? 'Its schedule is paused. ' : ''}Correct what is named, then begin the night by hand or wait for the next one.`,
    commands: [
      ...(night.pause_on_failure ? [`critic schedule unpause ${night.name}`] : []),
      `critic schedule trigger ${night.name}`,
    ],
  });
}

/** The run will not have ended by the night's deadline. `endsAt`: at the earliest, ISO. */
export function lateNotice(
  night: Night,
  at: string,
  now: string,
  { run, deadline, endsAt }: { run: string; deadline: string; endsAt: string },
): Notice {
  const then =
    night.at_deadline === 'stop'
      ? 'At the deadline it saves a checkpoint and stops, and the next night goes on from there.'
      : 'It goes on after the deadline.';
  return nightNotice(night, at, 'late', {
    kind: 'deadline',
    at: now,
    run,
    title: `${nightTitle(night.name, at)} will not end by ${clock(deadline)} UTC: not before ${clock(endsAt)} UTC`,
    text: `By its estimate and what it has done, run ${run} ends at ${clock(endsAt)} UTC at the earliest. ${then}`,
    commands: [`critic watch ${run}`],
  });
}

/** The deadline has come and the run has not ended. */
export function deadlineNotice(night: Night, at: string, now: string, run: string): Notice {
  const then = night.at_deadline === 'stop' ? 'saves a checkpoint and stops' : 'goes on';
  return nightNotice(night, at, 'deadline', {
    kind: 'deadline',
    at: now,
    run,
    title: `${nightTitle(night.name, at)} has come to its deadline ${night.deadline ?? ''}: its run ${then}`,
    text: '',
    commands: night.at_deadline === 'stop' ? [] : [`critic pause ${run}`, `critic cancel ${run}`],
  });
}

/** `2026-11-28 07:00` */
function clock(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** A night has not begun though it was due. `until`: it still begins if that is mended by then (ISO). */
export function notBegunNotice(night: Told, at: string, now: string, why: string, until: string | null): Notice {
  return nightNotice(night, at, 'not-begun', {
    kind: 'night-skipped',
    at: now,
    title: `${nightTitle(night.name, at)} has not begun: ${why}`,
    text:
      until === null
        ? `${why}. It does not begin any more.`
        : `${why}. It still begins if that is mended by ${clock(until)} UTC.`,
    commands: [`critic schedule describe ${night.name}`, `critic schedule trigger ${night.name}`],
  });
}

/** This release cannot read the night of a schedule. Told once for a state of the schedule. `since`: when it came to that. */
export function unreadableNotice(night: Told, since: Date, now: string, why: string): Notice {
  return nightNotice(night, since.toISOString(), 'unreadable', {
    kind: 'night-failed',
    at: now,
    title: `night ${night.name} cannot be read by this release, so its nights begin no run`,
    text: `${why}\nAnother release has made its schedule, or somebody by hand. Apply its file anew with this release.`,
    commands: ['critic schedule apply FILE', `critic schedule describe ${night.name}`],
  });
}

/** A night's own workflow, which somebody or something has ended or stopped. `part` tells executions of one id apart. */
export interface NightWorkflow {
  night: string;
  workflow: string;
  part: string;
  at: string;
  /** Channels that the night names. */
  to?: string[];
}

/** The night's workflow ended without its digest. `said`: how, such as `was terminated`. */
export function brokenNightNotice(about: NightWorkflow, said: string, why: string): Notice {
  const { night, workflow } = about;
  return {
    ...base(about, 'broken'),
    kind: 'night-failed',
    title: `night ${night}: its workflow ${said}, so no digest comes`,
    text: `${why === '' ? '' : `${why}\n`}Workflow ${workflow}. A run that it had begun goes on by itself, and its deadline is not minded.`,
    commands: ['critic runs', `critic schedule describe ${night}`],
  };
}

/** The code of the night's workflow fails again and again. `after`: the last event that it could deal with. */
export function stuckNightNotice(about: NightWorkflow, why: string, after: number): Notice {
  const { night, workflow } = about;
  return {
    ...base(about, `stuck-${after}`),
    kind: 'stuck',
    title: `night ${night} is stuck: its workflow code cannot go on`,
    text: `${why}\nWorkflow ${workflow}. Its run goes on. Deploy a worker whose code can replay it (the release that began it can), or terminate it: then no digest comes.`,
    commands: ['critic runs', `critic schedule describe ${night}`],
  };
}

/** What the night is to do fails again and again, and it can neither begin nor end before that is mended. `step`: the name of what it does. */
export function heldUpNotice(about: NightWorkflow, step: string, why: string): Notice {
  const { night, workflow } = about;
  return {
    ...base(about, `held-${step}`),
    kind: 'waiting',
    title: cut(`night ${night} is held up: ${why.split('\n')[0] ?? ''}`),
    text: `${why}\nWorkflow ${workflow} tries it again until it is mended, and then goes on by itself.`.slice(0, 8000),
    commands: [`critic schedule describe ${night}`],
  };
}

function base({ night, part, at, to }: NightWorkflow, what: string) {
  return { id: `night-${night}-${part}-${what}`, at, night, ...(to === undefined ? {} : { to }) };
}

function cut(title: string): string {
  return title.length > titleChars ? `${title.slice(0, titleChars - 1)}…` : title;
}
