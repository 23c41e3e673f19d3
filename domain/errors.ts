/** Errors: names on the wire (ApplicationFailure types) and how a wrong input is said. */

export const failureTypes = [
  'DataInvalid',
  'PostconditionFailed',
  'BudgetExceeded',
  'QuotaExhausted',
  'JobRefused',
  'SlurmUnavailable',
  'Aborted',
] as const;
export type FailureType = (typeof failureTypes)[number];

/** One wrong value: which field, what it is, what was expected. */
export interface InputFault {
  field: string;
  value: unknown;
  expected: string;
}

/** `field: expected …, got …`; long values are cut at 80 characters. */
export function describeFault({ field, value, expected }: InputFault): string {
  const given = value === undefined ? 'nothing' : JSON.stringify(value);
  return `${field}: expected ${expected}, got ${given.length > 80 ? `${given.slice(0, 77)}…` : given}`;
}

/** All faults in one message: a headline with their number, then at most `limit` of them, one a line. */
export function describeFaults(what: string, faults: readonly string[], limit = 20): string {
  const more = faults.length > limit ? [`… and ${faults.length - limit} more`] : [];
  const headline = `${what}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`;
  return [headline, ...faults.slice(0, limit), ...more].join('\n  ');
}
