/**
 * Synthesis: a critique from the teacher for every training pair.
 *
 *   1. the artifact exists → done
 *   2. wait until no other run, here or in another worker, asks for the same answers
 *   3. open the log, ask what is missing, judge, ask again what was rejected, up to tries_per_row
 *   4. if enough are kept: files, artifact; else the postcondition fails
 *
 * kill -9 at any point: answers in the log are kept, requests in flight are asked again (`log.ts`), and batches at the server are found
 * again (`batches/submission.ts`). After the store's rename the artifact is there. The log stays: with a changed filter or a lost
 * artifact no request is needed.
 */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { type ApplicationFailure, Context } from '@temporalio/activity';
import { ingredientsUnder } from '../../domain/anew.ts';
import { batchPrices } from '../../domain/estimate/budget.ts';
import type { ArtifactRef, Pair } from '../../domain/manifest.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { teacherNeeded } from '../../domain/recipe/arms.ts';
import type { SynthesisSettings } from '../../domain/recipe.ts';
import { type ArtifactStore, artifactKey } from '../store/artifact-store.ts';
import type { BatchPace } from './batches/deps.ts';
import { forEachConcurrently } from '../bounded-concurrency.ts';
import { readDatasetPairs, readImageSizes } from '../dataset/dataset.ts';
import { DuplicateFinder } from './duplicate-finder.ts';
import { refuse, translated } from '../failure.ts';
import type { StoreDeps } from '../store/deps.ts';
import type { TeacherAccounts, TeacherDeps } from '../teacher/accounts.ts';
import { FolderLease, usualTimes } from '../store/folder-lease.ts';
import { type AskingDeps, askRow } from './asking.ts';
import { BatchRound } from './batches/round.ts';
import { answersIngredients, promptHash, synthesisIngredients, type TeacherIdentity } from './keys.ts';
import type { SynthesisLog } from './log.ts';
import { type Logs, withLogs } from './logs.ts';
import { writeOutput } from './output.ts';
import { SynthesisMeter } from './meter.ts';
import type { QuestionSource } from './question.ts';
import { AskingTools, type Tools } from './asking-tools.ts';
import { countReasons, judgeAlone, judgeTogether, rowEnd, type RowVerdict } from './verdicts.ts';
import { tryFolder } from '../store/try-folder.ts';

const usualPace: BatchPace = { retryBaseMs: 1000, denyMs: 60_000 };

export function createSynthesisActivities(deps: StoreDeps & TeacherDeps, pace = usualPace) {
  return {
    /** Critiques for the dataset's train split. Heartbeats once a second. Keeps every answer whatever happens. */
    async synthesizeCritiques({ plan, dataset }: { plan: RunPlan; dataset: ArtifactRef }): Promise<ArtifactRef> {
      const signal = Context.current().cancellationSignal;
      return translated(`synthesise critiques for run "${plan.run}"`, signal, async () => {
        const stage = new Synthesis(deps, plan, dataset, pace, signal);
        const meter = new SynthesisMeter(Context.current());
        try {
          const found = await stage.find();
          if (found !== undefined) return found;
          const onWait = () => meter.before('another run asks for the same answers');
          const lease = await FolderLease.take(await stage.folder(), signal, { ...usualTimes, onWait });
          meter.before('reading what was answered before');
          try {
            return await stage.make(lease, meter);
          } finally {
            await lease.release();
          }
        } finally {
          meter.stop();
        }
      });
    },
  };
}

/** The logs that are written while asking, and the lease that allows it. */
type Files = Logs & { lease: FolderLease };

class Synthesis {
  readonly #store: ArtifactStore;
  readonly #llm: TeacherAccounts;
  readonly #plan: RunPlan;
  readonly #settings: SynthesisSettings;
  readonly #dataset: ArtifactRef;
  readonly #pace: BatchPace;
  readonly #signal: AbortSignal;
  readonly #baseUrl: string;

  constructor(
    deps: StoreDeps & TeacherDeps,
    plan: RunPlan,
    dataset: ArtifactRef,
    pace: BatchPace,
    signal: AbortSignal,
  ) {
    this.#store = deps.store;
    this.#llm = deps.llm;
    this.#plan = plan;
    this.#settings = teacherNeeded(plan.recipe);
    this.#dataset = dataset;
    this.#pace = pace;
    this.#signal = signal;
    this.#baseUrl = deps.llm.baseUrl;
  }

  /** The artifact, if it was made before. It must meet this recipe's minimum yield, whoever made it. */
  async find(): Promise<ArtifactRef | undefined> {
    const { artifact } = await this.#store.find('synthesis', this.#ingredients());
    if (artifact === undefined) return undefined;
    const { rows = 0, kept = 0 } = artifact.counts;
    if (kept < rows * this.#settings.minimum_yield) throw this.#yieldFailure(rows, kept, '');
    return artifact;
  }

  /** Folder of the answers. Only dataset, teacher and prompt determine it, so a change of filter or budget keeps them. */
  folder(): Promise<string> {
    return this.#store.partial('synthesis', this.#answersKey());
  }

  async make(lease: FolderLease, meter: SynthesisMeter): Promise<ArtifactRef> {
    const standing = await this.find();
    if (standing !== undefined) return standing;
    return withLogs(await this.folder(), async (logs) => {
      const pairs = (await readDatasetPairs(this.#dataset)).filter(({ split }) => split === 'train');
      return this.#publish(await this.#ask(pairs, { ...logs, lease }, meter), logs.log);
    });
  }

  /** In each round every row without a good answer is asked. Then near-duplicates are looked for, and asked again. */
  async #ask(pairs: Pair[], files: Files, meter: SynthesisMeter): Promise<RowVerdict[]> {
    const { log, batches } = files;
    const { filter, tries_per_row: tries } = this.#settings;
    const answersOf = (id: string) => log.answers(id);
    const isPending = ({ pair, kept }: RowVerdict) => kept === undefined && log.answers(pair.id).length < tries;
    const finder = new DuplicateFinder();
    const tools = new AskingTools(this.#llm, this.#settings);
    try {
      for (;;) {
        let verdicts = judgeAlone(pairs, answersOf, filter);
        if (!verdicts.some(isPending)) verdicts = await judgeTogether(pairs, answersOf, filter, finder);
        const pending = verdicts.filter(isPending);
        if (pending.length === 0 && batches.open.length === 0) return verdicts;
        const opened = await tools.open(log.spent);
        const counts = { total: pairs.length, done: verdicts.length - pending.length };
        if (this.#settings.api === 'batch' || batches.open.length > 0) {
          await this.#askInBatches(pending, { ...opened, ...files }, meter, counts);
        } else {
          const { spending, limiter } = opened;
          meter.begin({ ...counts, usd: () => spending.spent, note: () => slowed(limiter.factor) });
          await this.#askRound(pending, { ...opened, ...files }, meter);
        }
      }
    } finally {
      tools.close();
    }
  }

  async #askRound(
    pending: RowVerdict[],
    tools: Tools & Pick<AskingDeps, 'log' | 'lease'>,
    meter: SynthesisMeter,
  ): Promise<void> {
    const halt = new AbortController();
    const halted = AbortSignal.any([halt.signal, this.#signal]);
    // One listener for each request in flight and for each row that waits.
    setMaxListeners(0, halted, this.#signal);
    const asking: AskingDeps = {
      ...tools,
      ...(await this.#questionSource()),
      retryBaseMs: this.#pace.retryBaseMs,
      cancelled: this.#signal,
      halted,
    };
    const work = async ({ pair }: RowVerdict) => {
      try {
        meter.ended(await askUntilKept(asking, pair));
      } catch (error) {
        halt.abort(error);
        throw error;
      }
    };
    try {
      await forEachConcurrently(pending, this.#settings.concurrency, work);
    } catch (error) {
      this.#signal.throwIfAborted();
      // Throws what stopped the stage, not what the stop did to the rows that were waiting.
      throw halt.signal.aborted ? halt.signal.reason : error;
    }
  }

  /** A round through the Batch API. With another `api` it ends what batches still hold. */
  async #askInBatches(
    pending: RowVerdict[],
    { log, batches, lease, batchClient: client }: Tools & Files,
    meter: SynthesisMeter,
    counts: { total: number; done: number },
  ): Promise<void> {
    const source = await this.#questionSource();
    const prices = { ...source.settings.prices, ...batchPrices(source.settings.prices) };
    const settings = { ...source.settings, prices };
    const folder = join(await this.folder(), 'shards');
    const rows = new Map(pending.map(({ pair }) => [pair.id, pair]));
    const deps = { ...source, ...this.#pace, settings, client, log, batches, lease, folder, signal: this.#signal };
    const round = new BatchRound(deps, (id) => {
      const pair = rows.get(id);
      const end = pair && rowEnd(pair, log.answers(pair.id), this.#settings);
      if (end !== undefined) meter.ended(end);
    });
    meter.begin({ ...counts, usd: () => log.spent, note: () => round.note() });
    if (this.#settings.api === 'batch') await round.ask([...rows.values()]);
    else await round.end();
  }

  async #questionSource(): Promise<QuestionSource> {
    return {
      settings: this.#settings,
      datasetPath: this.#dataset.path,
      sizes: await readImageSizes(this.#dataset.path),
      answersKey: this.#answersKey(),
    };
  }

  async #publish(verdicts: RowVerdict[], log: SynthesisLog): Promise<ArtifactRef> {
    const kept = verdicts.filter((verdict) => verdict.kept !== undefined).length;
    const reasons = countReasons(verdicts.filter((verdict) => verdict.kept === undefined));
    if (kept === 0 || kept < verdicts.length * this.#settings.minimum_yield) {
      const list = Object.entries(reasons).map(([reason, count]) => `${count} × ${reason}`);
      throw this.#yieldFailure(verdicts.length, kept, ` Answers to rows set aside: ${list.join(', ')}.`);
    }
    const ingredients = this.#ingredients();
    const key = artifactKey('synthesis', ingredients);
    const from = await tryFolder(this.#store, 'synthesis', key);
    const provenance = {
      settings: this.#settings,
      baseUrl: this.#baseUrl,
      promptSha256: promptHash(this.#settings.prompt),
      datasetKey: this.#dataset.key,
    };
    await writeOutput(from, verdicts, log, provenance);
    const { input, cachedInput, output } = log.usage;
    const { asked: requests, answered, unusable } = log.counts;
    return this.#store.publish({
      stage: 'synthesis',
      key,
      ingredients,
      from,
      counts: {
        rows: verdicts.length,
        kept,
        set_aside: verdicts.length - kept,
        requests,
        answers: answered + unusable,
      },
      cost: { usd: log.spent, input_tokens: input, cached_input_tokens: cachedInput, output_tokens: output },
      run: this.#plan.run,
      attempts: [],
    });
  }

  #yieldFailure(rows: number, kept: number, why: string): ApplicationFailure {
    const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
    return refuse(
      'PostconditionFailed',
      `synthesis kept ${kept} of ${rows} critiques (${percent(rows === 0 ? 0 : kept / rows)}), and ` +
        `recipe.synthesis.minimum_yield is ${percent(this.#settings.minimum_yield)}.${why} All answers are kept: raise ` +
        'tries_per_row or change recipe.synthesis.filter and start it again',
    );
  }

  #answersKey(): string {
    return artifactKey('synthesis', ingredientsUnder(this.#plan, 'synthesis', answersIngredients(this.#teacher())));
  }

  #ingredients(): Record<string, unknown> {
    return ingredientsUnder(this.#plan, 'synthesis', synthesisIngredients(this.#teacher()));
  }

  #teacher(): TeacherIdentity {
    return { datasetKey: this.#dataset.key, baseUrl: this.#baseUrl, settings: this.#settings };
  }
}

/** Asks until an answer passes by itself or the tries are used up. Says which. */
async function askUntilKept(asking: AskingDeps, pair: Pair): Promise<'kept' | 'set-aside'> {
  for (;;) {
    await askRow(asking, pair);
    const end = rowEnd(pair, asking.log.answers(pair.id), asking.settings);
    if (end !== undefined) return end;
  }
}

/** `factor`: the share of the full rate in use. */
function slowed(factor: number): string | undefined {
  return factor < 0.995 ? `slowed to ${Math.round(factor * 100)} % of the limit by refusals (429)` : undefined;
}
