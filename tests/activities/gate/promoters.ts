/** Processes that promote into one folder (`champion-child.ts`), some of them killed, and what must be true of what they leave. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { readChampions } from '../../../activities/gate/champion-file.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

export interface Said {
  /** Runs that were told to be promoted. */
  promoted: string[];
  /** The run that was in the middle when the process was killed. */
  last: string | undefined;
}

export interface Promoter {
  folder: string;
  name: string;
  candidates: number;
  seed: number;
  /** It sees the folder's names as they were at its last look. */
  stale?: boolean;
}

/** Runs a promoter to its end, or kills it `killMs` after its first candidate. */
export async function promoter({ folder, name, candidates, seed, stale }: Promoter, killMs?: number): Promise<Said> {
  const program = new URL('./champion-child.ts', import.meta.url);
  const args = [folder, name, String(candidates), String(seed), stale === true ? 'stale' : ''];
  const process = fork(program, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const parts: string[] = [];
  process.stdout?.on('data', (part: Buffer) => parts.push(part.toString()));
  const ended = once(process, 'close');
  if (killMs !== undefined && process.stdout !== null) {
    await once(process.stdout, 'data');
    await sleep(killMs);
    process.kill('SIGKILL');
  }
  const [code] = await ended;
  if (killMs === undefined && code !== 0) throw new Error(`a promoter ended with ${String(code)}`);
  const lines = parts
    .join('')
    .split('\n')
    .filter((line) => line !== '');
  const promoted = lines.flatMap((line) => /^(\S+) promoted$/.exec(line)?.[1] ?? []);
  return { promoted, last: lines.at(-1)?.split(' ')[0] };
}

/** Promoters one after another, each killed in the middle; every second one is stale. */
export async function killedPromoters(folder: string, name: string, count: number): Promise<Said[]> {
  const random = seededRandom(11);
  const all: Said[] = [];
  for (let i = 0; i < count; i += 1) {
    const given = { folder, name: `${name}${i}`, candidates: 400, seed: i, stale: i % 2 === 0 };
    all.push(await promoter(given, 5 + 60 * random()));
  }
  return all;
}

/** What is wrong with the history: gaps, bases, scores that do not rise, what was lost or made up against what was said. */
export async function faultsOfHistory(folder: string, said: readonly Said[]): Promise<string[]> {
  const champions = await readChampions(folder, new AbortController().signal);
  const runs = new Set(champions.map(({ run }) => run));
  const promoted = new Set(said.flatMap((one) => one.promoted));
  const cut = new Set(said.map((one) => one.last));
  const faults = champions.flatMap(({ run, version, base, main_score: score }, index) => {
    const before = champions[index - 1]?.main_score ?? -1;
    return [
      ...(version === index + 1 && (base ?? 0) === index
        ? []
        : [`version ${version} on ${base} is number ${index + 1}`]),
      ...((score ?? -1) > before ? [] : [`version ${version}: ${score} stands over ${before}`]),
      ...(promoted.has(run) || cut.has(run) ? [] : [`version ${version}: nobody promoted ${run}`]),
    ];
  });
  const lost = [...promoted].filter((run) => !runs.has(run)).map((run) => `${run} is lost`);
  const few = champions.length > 20 ? [] : [`only ${champions.length} promotions: nothing was tried`];
  return [...faults, ...lost, ...few];
}
