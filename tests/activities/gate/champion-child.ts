/**
 * A process that promotes: `node champion-child.ts FOLDER NAME COUNT SEED STALE`. COUNT candidates one after another, each
 * promoted if its score is above the champion's, as the gate does it. With STALE, every look at the folder is the one
 * before. Prints `NAME-i` before and `NAME-i ANSWER` after each.
 */
import { type Champion, ownView, promote, readChampions } from '../../../activities/gate/champion-file.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

const [folder = '', name = '', count = '', seed = '', stale = ''] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const never = new AbortController().signal;

let before: string[] = [];
const view = {
  ...ownView,
  names: async (path: string) => {
    const now = await ownView.names(path);
    const shown = stale === 'stale' ? before : now;
    before = now;
    return shown;
  },
};

function record(run: string, score: number, base: Champion | undefined): Champion {
  const version = (base?.version ?? 0) + 1;
  const place = { key: run, path: `/${run}` };
  const own = { run, model: place, evaluation: place, main_score: score };
  const decision = {
    passed: true,
    outcome: 'promote' as const,
    reasons: [],
    mainScore: score,
    champion: base?.run ?? null,
  };
  const reference = base?.reference ?? { version, ...own };
  const decided_at = new Date().toISOString();
  return {
    schema: 2,
    version,
    base: base?.version ?? null,
    ...own,
    predictions: place,
    decided_at,
    decision,
    reference,
  };
}

async function attempt(run: string, score: number): Promise<string> {
  for (let known = 0; ;) {
    const champion = (await readChampions(folder, never, known, view)).at(-1);
    if (champion !== undefined && (champion.main_score ?? 0) >= score) return 'not passed';
    const next = record(run, score, champion);
    if ((await promote(folder, next)) === 'promoted') return 'promoted';
    known = next.version;
  }
}

for (let i = 0; i < Number(count); i += 1) {
  console.log(`${name}-${i}`);
  // Rising on the whole, so that there are many promotions.
  const score = i / Number(count) + random() * 0.1;
  console.log(`${name}-${i} ${await attempt(`${name}-${i}`, score)}`);
}
