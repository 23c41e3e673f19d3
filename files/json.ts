/** JSON that somebody else wrote: a file's, a line's, an answer's. It is checked against a schema by whoever reads it. */

/** The value, or undefined for what is no JSON: no JSON text has that value, and no schema here accepts it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
