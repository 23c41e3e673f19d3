/**
 * How a night begins: its recipe is read from where the night's file says, as it is now, and kept with the run: `runs/<run>/night/recipe.yaml` and
 * `night.json`, which has the commit.
 *
 * kill -9 before `turn-….run.json`: all is done again, perhaps with another id and a newer recipe; no run has begun. After it: the same answer is given. What
 * was kept for an id that another run took is left in that run's folder under this night's name only if the night wrote first, and is replaced by its owner.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isSafeName, paths, runId } from '../../domain/names.ts';
import { type Night, type NightBeginning, nextLocalTime } from '../../domain/nights/night.ts';
import type { RunPlan } from '../../domain/plan.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { readRegularText } from '../../files/regular-file.ts';
import { InputFault } from '../../input/input-fault.ts';
import { nightSchema } from '../../input/night-file.ts';
import { readRecipe } from '../../input/recipe-file.ts';
import { type Cluster, clusterInWords } from '../../domain/clusters.ts';
import { describeIssue, shown } from '../../domain/errors.ts';
import type { ClusterDeps } from '../cluster-check.ts';
import { refuse, systemCode, toFailure } from '../failure.ts';
import type { StoreDeps } from '../store/deps.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import { lookAt } from './open-workflow.ts';
import { Turns } from './turns.ts';

const maxRecipeBytes = 64 * 1024;
const gitMs = 10_000;

export interface BeginRequest {
  night: Night;
  at: string;
  turn: number;
  /** A run whose checkpoints it goes on from, though the night of it did not end by its deadline. */
  resumes?: string;
  /** Ids that other runs took meanwhile. */
  taken: string[];
}

export function createBeginningActivities({ store, cluster }: StoreDeps & ClusterDeps) {
  return {
    /** A schedule may be made by hand. Refuses a night that is not as its file's schema says, or is another cluster's. Pure. */
    async checkNight({ night }: { night: unknown }): Promise<void> {
      const { data, error } = nightSchema.safeParse(night, { reportInput: true });
      const [issue] = error?.issues ?? [];
      if (issue !== undefined)
        throw refuse('ConfigInvalid', `${['night', ...issue.path].join('.')}: ${describeIssue(issue)}`);
      if (data?.cluster !== cluster)
        throw refuse(
          'ConfigInvalid',
          `night.cluster: expected that of this worker, ${clusterInWords(cluster)}, got ${shown(data?.cluster)}`,
        );
    },

    /** The plan of tonight's run. Refuses (`ConfigInvalid`) a recipe that is not there or wrong, with all its faults. */
    async beginNight(request: BeginRequest): Promise<NightBeginning> {
      const { night, at, turn, taken } = request;
      const turns = new Turns(store.root, night.name);
      const path = join(night.source, night.recipe);
      const { recipe, text } = await readAt(path, cluster);
      const commit = await commitOf(night.source);
      const known = await turns.run(turn);
      const now = new Date();
      const begun =
        known !== undefined && !taken.includes(known.run)
          ? known
          : {
              run: await freeId(recipe, now, taken),
              resumes: request.resumes ?? (await stoppedBefore(turns, turn)) ?? null,
              commit,
              begunAt: now.toISOString(),
            };
      await keep(store.root, begun.run, text, { schema: 1, at, turn, commit: begun.commit, night });
      if (begun !== known) await turns.writeRun(turn, begun);
      const plan: RunPlan = {
        schema: 1,
        run: begun.run,
        recipe,
        night: { name: night.name, at },
        ...(begun.resumes === null ? {} : { resumes: begun.resumes }),
        ...(night.owner === undefined ? {} : { owner: night.owner }),
      };
      const after = new Date(begun.begunAt);
      const deadline = night.deadline && nextLocalTime(night.deadline, night.time_zone, after).toISOString();
      return { plan, commit: begun.commit, deadline: deadline ?? null };
    },
  };
}

/** On the night's cluster, which is that of this worker. What nobody may read is a fault of the night. A store that takes nothing is none: it is waited for. */
async function readAt(path: string, cluster: Cluster): Promise<{ recipe: Recipe; text: string }> {
  try {
    const recipe = await readRecipe(path);
    if (recipe.cluster !== undefined && recipe.cluster !== cluster)
      throw new InputFault(
        `recipe.cluster: expected that of the night, ${clusterInWords(cluster)}, got "${recipe.cluster}"; name it in the night's file too`,
      );
    const text = await readRegularText(path, maxRecipeBytes);
    return { recipe: { ...recipe, ...(cluster === undefined ? {} : { cluster }) }, text };
  } catch (error) {
    if (error instanceof InputFault) throw refuse('ConfigInvalid', error.message);
    throw toFailure(error, `read recipe "${path}"`);
  }
}

/** The id of this second, or of the first one after it that no run has had. */
async function freeId(recipe: Recipe, now: Date, taken: readonly string[]): Promise<string> {
  for (let at = now; ; at = new Date(at.getTime() + 1000)) {
    const id = runId(recipe.name, at);
    if (!taken.includes(id) && !(await lookAt(id)).isKnown) return id;
  }
}

/** The run of the newest earlier night that had one, if its deadline stopped it, or a night that then began no run had it stopped. */
async function stoppedBefore(turns: Turns, turn: number): Promise<string | undefined> {
  for (let number = turn - 1; number >= 1; number -= 1) {
    const end = await turns.end(number);
    if (end?.verdict === 'stopped' || end?.verdict === 'wrong-recipe') {
      if (end.run !== null) return end.run;
    }
    if ((await turns.run(number)) !== undefined) return undefined;
  }
  return undefined;
}

async function keep(root: string, run: string, recipe: string, about: object): Promise<void> {
  if (!isSafeName(run)) throw new Error(`a run's id that is no safe name: ${run}`);
  const folder = join(paths.run(root, run), 'night');
  await mkdir(folder, { recursive: true, mode: 0o750 });
  await writeFileAtomic(join(folder, 'recipe.yaml'), recipe);
  await writeFileAtomic(join(folder, 'night.json'), `${JSON.stringify(about, null, 2)}\n`);
}

/** HEAD of the repository in which the folder is. Null: there is none, no git, or git does not trust the folder's owner. */
async function commitOf(folder: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', ['-C', folder, 'rev-parse', '--verify', 'HEAD'], {
      timeout: gitMs,
      maxBuffer: 4096,
    });
    return /^[0-9a-f]{40,64}$/.exec(stdout.trim())?.[0] ?? null;
  } catch (error) {
    // git ended with an error, or is not there.
    if (systemCode(error) === 'ENOENT' || (error instanceof Error && 'code' in error)) return null;
    throw error;
  }
}
