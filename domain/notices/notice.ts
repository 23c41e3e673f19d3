/**
 * Notices: what people are told. Whoever notices something makes a `Notice`; the outbox (`activities/notify/`) keeps it on disk and brings it to
 * the channels. Its id says what happened and to what, so the same thing told twice is one notice.
 */

export const noticeKinds = [
  'waiting',
  'failed',
  'passed',
  'not-passed',
  'cancelled',
  'stuck',
  'budget',
  'health',
  'night-skipped',
  'night-ended',
  'night-failed',
  'deadline',
  'experiment-ended',
  'test',
] as const;
export type NoticeKind = (typeof noticeKinds)[number];

export interface Notice {
  /** The same for the same happening, whoever tells it: `[A-Za-z0-9._-]`, at most 200 characters. */
  id: string;
  kind: NoticeKind;
  /** When it happened, ISO, UTC. */
  at: string;
  run?: string;
  night?: string;
  /** Where it happened; the outbox adds it. Absent: on the cluster without a name. */
  cluster?: string;
  /** One line, at most 200 characters. */
  title: string;
  /** Plain text, at most 8,000 characters. Empty if the title says all. */
  text: string;
  /** What to type about it. */
  commands: string[];
  /** Names of channels. Undefined: the default ones. */
  to?: string[];
  /** Kinds for which it stands too: a channel that lets these through alone gets it. */
  also?: NoticeKind[];
}
