/** Slurm's hostlist notation. Pure. */

/** A larger range counts as a mistake: no cluster has a million nodes under one prefix. */
const maxRange = 1_000_000;

/**
 * Expands `a[1-3,7],b-[08-10]` to ['a1', 'a2', 'a3', 'a7', 'b-08', 'b-09', 'b-10']. Leading zeros are kept. Several brackets in
 * one name multiply. Slurm's ways to say "none" (empty, `(null)`, `None assigned`) give []. A text that cannot be read is returned
 * unchanged.
 */
export function expandHostlist(text: string): string[] {
  if (text === '' || text === '(null)' || text === 'None assigned') return [];
  return splitOutsideBrackets(text).flatMap(expandName);
}

function splitOutsideBrackets(text: string): string[] {
  return text
    .split(/,(?![^[]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function expandName(name: string): string[] {
  const match = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(name);
  if (match === null) return [name];
  const [, prefix = '', ranges = '', rest = ''] = match;
  const numbers = ranges.split(',').map(expandRange);
  if (numbers.includes(undefined)) return [name];
  const tails = expandName(rest);
  return numbers.flatMap((list) => list ?? []).flatMap((number) => tails.map((tail) => `${prefix}${number}${tail}`));
}

function expandRange(range: string): string[] | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(range.trim());
  if (match === null) return undefined;
  const [, first = '', last = first] = match;
  const count = Number(last) - Number(first) + 1;
  if (count < 1 || count > maxRange) return undefined;
  return Array.from({ length: count }, (_, index) => String(Number(first) + index).padStart(first.length, '0'));
}
