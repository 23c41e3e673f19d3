/**
 * Writes `nights.html`, and beside it `nights.json` with the sums that it shows. Each is replaced atomically: kill -9 leaves the old one or the new one, and the
 * next night or `critic nights` writes both again. Two writers may have seen different nights: whoever finds, having written, that there is more writes again.
 */
import { join } from 'node:path';
import { namesIn } from '../../files/fresh-look.ts';
import { heartbeating } from '../heartbeating.ts';
import type { StoreDeps } from '../store/deps.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import { gatherNights, type Nights } from './night-rows.ts';
import { nightsRecord, renderNights } from './nights-page.ts';

export interface WrittenNights {
  path: string;
  /** Where it is served, if it is. */
  url?: string;
  nights: Nights;
}

/** More often than this only nights that end all the time make it write again. */
const mostTimes = 5;

export async function writeNights({ store: { root }, pagesUrl }: StoreDeps, now: () => Date): Promise<WrittenNights> {
  const path = join(root, 'nights.html');
  for (let times = 1; ; times += 1) {
    const before = await namesOf(root);
    const nights = await gatherNights(root);
    const record = nightsRecord(nights, now());
    await writeFileAtomic(join(root, 'nights.json'), `${JSON.stringify(record)}\n`);
    await writeFileAtomic(path, renderNights(nights, record));
    // What the gathering itself kept counts as new too, and is then there.
    if ((await namesOf(root)) === before || times >= mostTimes) {
      return { path, ...(pagesUrl === undefined ? {} : { url: `${pagesUrl}/nights.html` }), nights };
    }
  }
}

/** All names of files of nights, as one text. */
async function namesOf(root: string): Promise<string> {
  const nights = [...(await namesIn(join(root, 'nights')))].toSorted();
  const names = await Promise.all(
    nights.map(async (night) =>
      [...(await namesIn(join(root, 'nights', night)))].filter((name) => name.endsWith('.json')),
    ),
  );
  return JSON.stringify(nights.map((night, at) => [night, names[at]?.toSorted()]));
}

export function createPageActivities(deps: StoreDeps) {
  return {
    async writeNightsPage(): Promise<{ path: string }> {
      const { path } = await heartbeating('writing nights.html', () => writeNights(deps, () => new Date()));
      return { path };
    },
  };
}
