/** What may be sent with a pause or its end. Plain checks, no zod: the workflow bundle has none. */
import { shown } from './errors.ts';

const fields = new Set(['by', 'note']);
const mostChars = 200;

/** What is wrong with it, in one sentence; undefined if it may be sent. Nothing at all may be sent too. */
export function pauseFault(request: unknown): string | undefined {
  if (request === undefined || request === null) return undefined;
  if (typeof request !== 'object' || Array.isArray(request))
    return `pause: expected {"by"?, "note"?}, got ${shown(request)}`;
  for (const [field, value] of Object.entries(request)) {
    if (!fields.has(field)) return `pause.${field.slice(0, mostChars)}: unknown key`;
    if (typeof value === 'string' && value.length >= 1 && value.length <= mostChars) continue;
    return `pause.${field}: expected 1 to ${mostChars} characters, got ${shown(value)}`;
  }
  return undefined;
}
