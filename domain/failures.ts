/**
 * Failures: every type of ApplicationFailure that this project makes, in one table. A type is a wire contract: its name never
 * changes. Activities and workflows make failures of these types only (`activities/failure.ts`, `workflows/failure.ts`).
 */

export interface FailureKind {
  /** Temporal tries it again. Without: no retry mends it, and the run asks the operator. */
  retried: boolean;
  /** What a person does about it, in one sentence. The failure's own message says what happened. */
  remedy: string;
}

export const failures = {
  Aborted: { retried: false, remedy: 'Nothing: an operator ended the run. Start it again to go on where it was.' },
  BudgetExceeded: { retried: false, remedy: 'Answer "retry" with a higher cap; the answers so far are kept.' },
  ChampionChanged: { retried: true, remedy: 'Nothing: the comparison is made again with the newest champion.' },
  ConfigInvalid: {
    retried: false,
    remedy: 'Mend the file, folder, disk or variable that the message names, then answer "retry".',
  },
  DataChanged: { retried: true, remedy: 'Leave the folder alone while a run reads it; it is read again.' },
  DataInvalid: { retried: false, remedy: 'Correct the data that the message names, then answer "retry".' },
  EarlierRunOpen: {
    retried: true,
    remedy: 'Cancel the run that the message names, or wait for its end; this one goes on then.',
  },
  InquiryUnknown: {
    retried: false,
    remedy: 'Use the command of the release whose worker runs, or start the worker of this one.',
  },
  NoRoom: {
    retried: true,
    remedy: 'Make room on the disk, or raise the quota or the limit of open files; the run goes on.',
  },
  PostconditionFailed: { retried: false, remedy: 'Look at what the stage wrote: it is not what was planned.' },
  QuotaExhausted: { retried: false, remedy: 'Add credit or raise the teacher\'s account limit, then answer "retry".' },
  /** What the plan says is wrong. A run's plan never changes. */
  RecipeInvalid: {
    retried: false,
    remedy: 'Answer "abort" and start a new run of the corrected recipe, or mend the cluster and answer "retry".',
  },
  Refused: {
    retried: false,
    remedy: 'Change the permission, the mount, the path or the request, then answer "retry".',
  },
  SlurmUnavailable: { retried: true, remedy: 'Bring back slurmrestd, slurmctld or the token; the run goes on.' },
  TrainingSick: {
    retried: false,
    remedy: 'Look at what the message names, then "critic resume" it, or start a new run of a changed recipe.',
  },
  Superseded: { retried: true, remedy: 'Nothing: another worker has taken over.' },
  SystemError: {
    retried: true,
    remedy: 'Look after the machine or the file system that the message names; the run goes on.',
  },
  TeacherDenied: { retried: false, remedy: 'Correct the API key, or what it may use, then answer "retry".' },
  TeacherRefused: {
    retried: false,
    remedy: 'Answer "abort" and start a run of a corrected recipe, or correct the base URL and answer "retry".',
  },
  TeacherUnavailable: { retried: true, remedy: 'Bring back the teacher; the run goes on, and all answers are kept.' },
} as const satisfies Record<string, FailureKind>;

export type FailureType = keyof typeof failures;

/** What to do about a failure of this type; undefined for a type that is not in the table, as a bug has none. */
export function remedyFor(type: string | null | undefined): string | undefined {
  const known: Readonly<Record<string, FailureKind>> = failures;
  return typeof type === 'string' && Object.hasOwn(known, type) ? known[type]?.remedy : undefined;
}

/** Types of failures that pass by themselves, or once something outside is mended: they are thrown retryable. */
export type PassingType = {
  [T in FailureType]: (typeof failures)[T]['retried'] extends true ? T : never;
}[FailureType];

/** Types of failures that no retry mends. */
export type RefusedType = Exclude<FailureType, PassingType>;
