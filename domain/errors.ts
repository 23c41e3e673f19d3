/** Errors: names on the wire (ApplicationFailure types) and how a wrong input is said. */

/**
 * Types of ApplicationFailure: a wire contract, never renamed. Those of passing faults (`SlurmUnavailable`, `Superseded`,
 * `TeacherUnavailable`, `NoRoom`, `SystemError`, `DataChanged`, `ChampionChanged`) are thrown retryable, all others not.
 */
export const failureTypes = [
  'Aborted',
  'BudgetExceeded',
  'ChampionChanged',
  'ConfigInvalid',
  'DataChanged',
  'DataInvalid',
  'NoRoom',
  'PostconditionFailed',
  'QuotaExhausted',
  'Refused',
  'SlurmUnavailable',
  'Superseded',
  'SystemError',
  'TeacherDenied',
  'TeacherRefused',
  'TeacherUnavailable',
] as const;

/** One wrong value: which field, what it is, what was expected. */
export interface InputFault {
  field: string;
  value: unknown;
  expected: string;
}

/** `field: expected …, got …`; long values are cut at 80 characters. */
export function describeFault({ field, value, expected }: InputFault): string {
  const given = shown(value);
  return `${field}: expected ${expected}, got ${given.length > 80 ? `${given.slice(0, 77)}…` : given}`;
}

/** As JSON where JSON is honest about it: NaN would be null, a bigint would throw, a function would vanish. */
function shown(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'number':
    case 'bigint':
      return String(value);
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    default:
      return JSON.stringify(value);
  }
}

/** One wrong value where the first one ends the work; see `describeFaults` for all at once. Its message is `describeFault`'s. */
export class InputError extends Error implements InputFault {
  override readonly name = 'InputError';
  readonly field: string;
  readonly value: unknown;
  readonly expected: string;

  constructor(fault: InputFault) {
    super(describeFault(fault));
    this.field = fault.field;
    this.value = fault.value;
    this.expected = fault.expected;
  }
}

/** All faults in one message: a headline with their number, then at most `limit` of them, one a line, and how many more. */
export function describeFaults(what: string, faults: readonly string[], limit = 20): string {
  const more = faults.length > limit ? [`… and ${faults.length - limit} more`] : [];
  const headline = `${what}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`;
  return [headline, ...faults.slice(0, limit), ...more].join('\n  ');
}
