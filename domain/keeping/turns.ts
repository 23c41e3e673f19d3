/**
 * Turns: of the jobs that one limit is about, at most so many are in Slurm at a time, and the others wait in the order in which they came. A job that
 * several limits are about takes a turn of each, in the order of their names, so that no two jobs wait for each other.
 */
import type { JobKind } from '../names.ts';

/** `account`: only jobs that this Slurm account is charged for. Without it: jobs of all accounts. */
export interface Limit {
  kind: JobKind;
  account?: string;
  at_most: number;
}

/** What a job must have before it is submitted. */
export interface Turn {
  /** Of the limit: `grpo@account`, or `grpo` for all accounts. */
  name: string;
  atMost: number;
}

/** The turns that a job of this kind and account needs. Where two limits have one name, the lower one counts. */
export function turnsFor(limits: readonly Limit[], kind: JobKind, account: string | undefined): Turn[] {
  const found = new Map<string, number>();
  for (const limit of limits) {
    if (limit.kind !== kind || (limit.account !== undefined && limit.account !== account)) continue;
    const name = limit.account === undefined ? kind : `${kind}@${limit.account}`;
    found.set(name, Math.min(limit.at_most, found.get(name) ?? limit.at_most));
  }
  return [...found].map(([name, atMost]) => ({ name, atMost })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** For people: `grpo@nlp (at most 1)`. */
export function turnsInWords(turns: readonly Turn[]): string {
  return turns.map(({ name, atMost }) => `${name} (at most ${atMost})`).join(', ');
}
