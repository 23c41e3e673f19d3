/** Errors: how a wrong input is said. The types of failures are in `failures.ts`. */

/** One wrong value: which field, what it is, what was expected. */
export interface InputFault {
  field: string;
  value: unknown;
  expected: string;
}

/** How many characters of somebody else's text a message shows: enough to find it again, never a whole file. */
const maxShown = 200;
/** An array or object is shown to this depth, and this many entries of each. */
const shownDepth = 3;
const shownEntries = 20;

/** `field: expected …, got …`; both the field's name and the value are cut at 200 characters. */
export function describeFault({ field, value, expected }: InputFault): string {
  return `${cut(field)}: expected ${expected}, got ${shown(value)}`;
}

/** The text, cut at `limit` characters. */
export function cut(text: string, limit = maxShown): string {
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

/**
 * A value as a message shows it, cut at 200 characters. It is shown as JSON unless JSON would be wrong: NaN would become null, a
 * bigint would throw, a function would vanish. A value of any size or depth, or with a circle in it, costs little.
 */
export function shown(value: unknown): string {
  return cut(preview(value, shownDepth));
}

function preview(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    case 'string':
      return JSON.stringify(value.slice(0, maxShown));
    case 'object':
      return value === null ? 'null' : previewObject(value, depth);
  }
}

function previewObject(value: object, depth: number): string {
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  const isArray = Array.isArray(value);
  const [open, close] = isArray ? '[]' : '{}';
  const keys = isArray ? value.slice(0, shownEntries + 1).map((_, index) => index) : Object.keys(value);
  if (keys.length === 0) return `${open}${close}`;
  if (depth === 0) return `${open}…${close}`;
  const entry = (key: string | number) => preview(Reflect.get(value, key), depth - 1);
  const few = keys
    .slice(0, shownEntries)
    .map((key) => (typeof key === 'number' ? entry(key) : `${preview(key, 0)}:${entry(key)}`));
  return `${open}${few.join(',')}${keys.length > shownEntries ? ',…' : ''}${close}`;
}

/** `expected …, got …` of a zod issue. The schema must have been asked with `reportInput`. */
export function describeIssue({ message, input }: { message: string; input?: unknown }): string {
  return `${cut(message.replace(/^(?:Invalid \w+|Too big|Too small): /, '').replace(/, received \w+$/, ''))}, got ${shown(input)}`;
}

/** One wrong value, where the first one ends the work. Its message is `describeFault`'s. `describeFaults` tells of all at once. */
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

/** What began it: the cause of the cause, as far as there is one. */
export function innermost(error: Error): Error {
  let cause = error;
  while (cause.cause instanceof Error) cause = cause.cause;
  return cause;
}
