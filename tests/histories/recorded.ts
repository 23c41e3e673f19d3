/** Recorded histories: `tests/histories/<release>/<path>.json.gz`, how they are written, read, and what they tell of patches. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { paths } from './paths.ts';

const folder = import.meta.dirname;
const ending = '.json.gz';

export const release = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(folder, '../../package.json'), 'utf8'))).version;

/** What is read of a history's JSON here; replay takes all of it. */
const historySchema = z.looseObject({
  events: z
    .array(
      z.looseObject({
        eventType: z.string(),
        markerRecordedEventAttributes: z
          .looseObject({
            markerName: z.string(),
            details: z.record(z.string(), z.looseObject({ payloads: z.array(z.looseObject({ data: z.base64() })) })),
          })
          .optional(),
      }),
    )
    .min(1),
});
export type RecordedHistory = z.output<typeof historySchema>;

export interface Recorded {
  release: string;
  /** Name of its file without `.json.gz`. */
  name: string;
  /** Name of its path and id of its workflow. */
  path: string;
  history: RecordedHistory;
  bytes: number;
}

/** All that is kept, of all releases. */
export function recordedHistories(): Recorded[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(ending));
  return files.toSorted().map((file) => {
    const kept = readFileSync(join(folder, file));
    const [of = '', name = ''] = file.slice(0, -ending.length).split('/');
    const history = historySchema.parse(JSON.parse(gunzipSync(kept).toString('utf8')));
    return { release: of, name, path: name.replace(/\.\d+$/, ''), history, bytes: kept.length };
  });
}

/** Keeps the histories of a path's workflow, oldest first, in place of those that this release has of it. */
export function keepHistories(path: string, histories: readonly string[]): void {
  if (!paths.some((one) => one === path)) throw new Error(`"${path}" is no path that tests/histories/paths.ts names`);
  for (const old of recordedHistories().filter((one) => one.release === release && one.path === path)) {
    rmSync(join(folder, release, `${old.name}${ending}`));
  }
  mkdirSync(join(folder, release), { recursive: true });
  for (const [index, history] of histories.entries()) {
    const text = JSON.stringify(JSON.parse(history, withoutPlaces), null, 1);
    const name = histories.length === 1 ? path : `${path}.${index + 1}`;
    writeFileSync(join(folder, release, `${name}${ending}`), gzipSync(text, { level: 9 }));
  }
}

/** Where on the recording machine an error came from: replay does not need it. */
function withoutPlaces(key: string, value: unknown): unknown {
  return key === 'stackTrace' || key === 'identity' ? undefined : value;
}

/** Ids of the patches whose markers are in a history. */
export function patchesIn({ events }: RecordedHistory): string[] {
  const markers = events.flatMap(({ markerRecordedEventAttributes: marker }) => (marker === undefined ? [] : [marker]));
  return markers
    .filter(({ markerName }) => markerName === 'core_patch')
    .flatMap(({ details }) => details['patch-data']?.payloads ?? [])
    .map(({ data }) => z.object({ id: z.string() }).parse(JSON.parse(Buffer.from(data, 'base64').toString('utf8'))).id);
}

/** Ids of the patches that a workflow's source asks for. Throws for one that is not written out: its histories cannot be found. */
export function patchesAskedFor(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  return [...code.matchAll(/\b(?:patched|deprecatePatch)\b(?!\s*[,}])\s*(?:\(\s*(['"])([^'"]+)\1\s*,?\s*\))?/g)].map(
    ([call, , id]) => {
      if (id === undefined)
        throw new Error(`"${call}": write the call and the id of a patch out, so that its histories can be found`);
      return id;
    },
  );
}
