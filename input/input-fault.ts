/** What is wrong with a file that a person wrote, in one message: the file, each wrong field with its value, and what was expected. */
import type * as z from 'zod';
import { cut, describeFaults, describeIssue } from '../domain/errors.ts';

/** Its message is for the person at the terminal, or in a notice. No stack is of use. */
export class InputFault extends Error {
  override readonly name = 'InputFault';
}

/** All faults that a schema found in a file, in one message. `root` as in `schemaFaults`. */
export function schemaFault(what: string, error: z.ZodError, root = ''): InputFault {
  return new InputFault(describeFaults(what, schemaFaults(error, root)));
}

/** A line for each fault. `root` is what a field's place begins with; empty: its place alone. The schema must have been asked with `reportInput`. */
export function schemaFaults(error: z.ZodError, root = ''): string[] {
  return error.issues.flatMap((issue) => {
    const place = [...(root === '' ? [] : [root]), ...issue.path.map((part) => cut(String(part)))].join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => `${[place, cut(key)].filter(Boolean).join('.')}: unknown key`);
    }
    // What is wrong with a key is said inside.
    const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return [`${place || 'the file'}: ${describeIssue({ message, input: issue.input })}`];
  });
}
