/**
 * All nights of a store, a row each, from the files that nights and notices left. Whatever cannot be read is named and left out: the page must come. It
 * keeps the reason of each night without a run in the night's own folder.
 */
import { join } from 'node:path';
import { isSafeName, paths } from '../../domain/names.ts';
import type { NightVerdict } from '../../domain/nights/night.ts';
import type { Notice } from '../../domain/notices/notice.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { Turns } from '../nights/turns.ts';
import { Outbox } from '../notify/outbox.ts';
import { type NightDigest, type NightTold, readDigest, readTold, toldName, writeTold } from './night-files.ts';

export interface NightRow {
  night: string;
  /** When it was to begin, ISO, UTC, to the second. */
  at: string;
  verdict: NightVerdict | 'under-way';
  why: string;
  run: string | null;
  nothingNew: boolean;
  digest: NightDigest | null;
  /** From the store's root: the file that says all this, and the one that says `run`. */
  file: string;
  runFile: string;
}

export interface Nights {
  /** By night's name, newest row first. */
  nights: { name: string; rows: NightRow[] }[];
  /** Files that could not be read, and why. */
  unreadable: string[];
}

type Problems = (what: string, error: unknown) => void;

export async function gatherNights(root: string): Promise<Nights> {
  const unreadable: string[] = [];
  const problem: Problems = (what, error) =>
    unreadable.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  await keepReasons(root, problem);
  const nights: Nights['nights'] = [];
  for (const name of [...(await namesIn(`${root}/nights`))].filter((one) => isSafeName(one)).toSorted()) {
    const rows = await rowsOf(root, name, problem);
    if (rows.length > 0) nights.push({ name, rows });
  }
  return { nights, unreadable };
}

/** A night that had turns (a second one by a backfill) is told by them; what was said of it before it began does not count any more. */
async function rowsOf(root: string, night: string, problem: Problems): Promise<NightRow[]> {
  const folder = paths.night(root, night);
  const names = await namesIn(folder);
  const rows: NightRow[] = [];
  const add = async (name: string, read: () => Promise<NightRow | undefined>) => {
    try {
      const row = await read();
      if (row !== undefined) rows.push(row);
      else problem(`nights/${night}/${name}`, 'it is not as a night writes it');
    } catch (error) {
      problem(`nights/${night}/${name}`, error);
    }
  };
  const turns = new Turns(root, night);
  for (const name of [...names].toSorted()) {
    const [, digits] = /^turn-(\d{6})\.json$/.exec(name) ?? [];
    if (digits !== undefined) await add(name, () => turnRow(root, turns, night, Number(digits), names));
  }
  const ofTurns = rows.splice(0);
  for (const name of [...names].filter((one) => one.startsWith('told-') && one.endsWith('.json'))) {
    await add(name, async () => {
      const told = await readTold(join(folder, name));
      return told && toldRow(told, `nights/${night}/${name}`);
    });
  }
  // A night with a wrong recipe has a turn, and its reason by itself.
  const had = new Set(ofTurns.flatMap(({ at, verdict }) => (verdict === 'wrong-recipe' ? [] : [at])));
  const told = rows.filter(({ at }) => !had.has(at));
  const said = new Set(told.map(({ at }) => at));
  const kept = ofTurns.filter(({ at, verdict }) => verdict !== 'wrong-recipe' || !said.has(at));
  // Of one time the newest turn is the first.
  return [...kept.toReversed(), ...told].toSorted((a, b) => (a.at === b.at ? 0 : a.at < b.at ? 1 : -1));
}

async function turnRow(
  root: string,
  turns: Turns,
  night: string,
  number: number,
  names: ReadonlySet<string>,
): Promise<NightRow | undefined> {
  const turn = await turns.read(number);
  if (turn === undefined) return undefined;
  const stem = `turn-${String(number).padStart(6, '0')}`;
  const digest = names.has(`${stem}.digest.json`)
    ? ((await readDigest(join(paths.night(root, night), `${stem}.digest.json`))) ?? null)
    : null;
  const end = await turns.end(number);
  const run = end === undefined ? ((await turns.run(number))?.run ?? null) : end.run;
  const file = digest !== null ? `${stem}.digest.json` : end !== undefined ? `${stem}.end.json` : `${stem}.json`;
  return {
    night,
    at: toSecond(turn.at),
    verdict: end?.verdict ?? 'under-way',
    why: digest?.sentence ?? '',
    run,
    nothingNew: end?.nothingNew ?? false,
    digest,
    file: `nights/${night}/${file}`,
    runFile: `nights/${night}/${stem}.run.json`,
  };
}

function toldRow({ night, at, verdict, why }: NightTold, file: string): NightRow {
  return { night, at: toSecond(at), verdict, why, run: null, nothingNew: false, digest: null, file, runFile: file };
}

/** Notices of nights without a run, kept where they outlive the outbox. */
async function keepReasons(root: string, problem: Problems): Promise<void> {
  const outbox = new Outbox(root);
  const kept = new Map<string, ReadonlySet<string>>();
  for (const id of (await outbox.ids()).toSorted()) {
    const [, night, stamp, what] = /^night-(.+)-(\d{8}-\d{6})-(skipped|not-begun|failed)$/.exec(id) ?? [];
    if (night === undefined || stamp === undefined || !isSafeName(night)) continue;
    const names = kept.get(night) ?? (await namesIn(paths.night(root, night)));
    kept.set(night, names);
    if (names.has(toldName(stamp))) continue;
    try {
      const notice = await outbox.read(id);
      if (notice?.night === night) await writeTold(root, stamp, toldOf(notice, night, stamp, what === 'failed'));
    } catch (error) {
      problem(`notices/${id}.json`, error);
    }
  }
}

function toldOf({ id, text, title }: Notice, night: string, stamp: string, wrong: boolean): NightTold {
  const why = (wrong ? text.split('\n')[0] : text) ?? '';
  const verdict = wrong ? 'wrong-recipe' : 'skipped';
  return { schema: 1, night, at: isoOf(stamp), verdict, why: why === '' ? title : why, notice: id };
}

/** `20261128-013000` → `2026-11-28T01:30:00Z` */
function isoOf(stamp: string): string {
  return stamp.replace(/^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/, '$1-$2-$3T$4:$5:$6Z');
}

function toSecond(iso: string): string {
  return iso.replace(/\.\d+Z$/, 'Z');
}
