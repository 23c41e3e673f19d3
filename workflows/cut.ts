/**
 * The cut: where a run continues as new, so that no history grows without bound. For a cut every branch of the run must be at a
 * place that can be entered again: a watcher (it has no side effect), an open question, a pause. When the history is long and all
 * branches are at such places at the same time, they are held there, and the run continues as new with its state.
 *
 * Nothing unwinds: a held branch keeps its cancellation scope, so a cancel in that moment still ends its job.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';

/** A part of a run that goes on by itself. `after`: names of the parts that must have ended before it. */
export interface Branch {
  name: string;
  after: readonly string[];
  work: () => Promise<void>;
}

/** Thrown by work that was broken off by `Cut.breakOff`: whoever began it looks anew what to do. */
export class BrokenOff extends Error {}

export class Cut {
  readonly #historyEvents: number;
  readonly #scopes = new Set<CancellationScope>();
  readonly #named = new Map<string, CancellationScope>();
  readonly #broken = new Set<CancellationScope>();
  /** Work that is no place for a cut, and may be broken off by its name alone. */
  readonly #breakable = new Map<string, CancellationScope>();
  readonly #brokenNames = new Set<string>();
  #branches = 1;
  #standing = 0;
  #held = 0;
  #begun = false;

  /** `historyEvents`: a history of this length counts as long. Temporal's own suggestion (some 4,000 events, or 4 MB) counts too. */
  constructor(historyEvents: number) {
    this.#historyEvents = historyEvents;
  }

  get isDue(): boolean {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    return continueAsNewSuggested || historyLength >= this.#historyEvents;
  }

  /**
   * Runs the whole `walk`. At a cut it calls `goOn`, which continues as new, and for no other reason. An error of the walk is
   * thrown on.
   */
  async around<T>(walk: () => Promise<T>, goOn: () => Promise<never>): Promise<T> {
    const walking = walk();
    await Promise.race([walking, CancellationScope.nonCancellable(() => this.#comesAbout())]);
    // A cancel in the same moment has let the branches go again.
    return this.#isComplete() ? goOn() : walking;
  }

  async #comesAbout(): Promise<void> {
    await condition(() => this.isDue && this.#standing === this.#branches);
    this.#begun = true;
    for (const scope of this.#scopes) scope.cancel();
    await condition(() => this.#isComplete());
  }

  #isComplete(): boolean {
    return this.#begun && this.#held === this.#branches && allHandlersFinished();
  }

  /** Breaks off the work of this name, or all work that has a name. Nothing happens where none is under way. */
  breakOff(name?: string): void {
    for (const [one, scope] of this.#named) {
      if (name !== undefined && one !== name) continue;
      this.#broken.add(scope);
      scope.cancel();
    }
    const alone = name === undefined ? undefined : this.#breakable.get(name);
    if (name === undefined || alone === undefined) return;
    this.#brokenNames.add(name);
    alone.cancel();
  }

  /** Is there work of this name that only `breakOff(name)` breaks off? */
  isBreakable(name: string): boolean {
    return this.#breakable.has(name);
  }

  /**
   * Runs `work`, which may be done again: `breakOff(name)` breaks it off, a cut does not. It gives the very promise of `work`. When that fails, `hasBroken`
   * says whether it was broken off.
   */
  breakable<T>(work: () => Promise<T>, name: string): Promise<T> {
    const scope = new CancellationScope();
    this.#breakable.set(name, scope);
    this.#brokenNames.delete(name);
    let working: Promise<T> | undefined;
    const over = () => void this.#breakable.delete(name);
    scope.run(() => (working = work())).then(over, over);
    if (working === undefined) throw new Error('a scope begins its work at once');
    return working;
  }

  /** Was the work of this name broken off, which has failed? It is asked once for each failure. */
  hasBroken(name: string): boolean {
    return this.#brokenNames.delete(name) && !CancellationScope.current().consideredCancelled;
  }

  /**
   * Runs `work`. It may be broken off by a cut, and the continued run does it again, so it must have no effect. With a `name` it may be broken off
   * otherwise too (`breakOff`), and then throws BrokenOff.
   */
  async interruptible<T>(work: () => Promise<T>, name?: string): Promise<T> {
    const scope = new CancellationScope();
    this.#scopes.add(scope);
    if (name !== undefined) this.#named.set(name, scope);
    this.#standing += 1;
    try {
      const result = await scope.run(work);
      if (this.#begun) await this.#hold();
      return result;
    } catch (error) {
      // Broken off by the cut, or ended badly in the same moment: either way the continued run does it again.
      if (this.#begun && !(isCancellation(error) && CancellationScope.current().consideredCancelled))
        await this.#hold();
      // However its activity ended: while its worker is away it may time out in place of being cancelled.
      if (this.#broken.has(scope) && !CancellationScope.current().consideredCancelled) throw new BrokenOff();
      throw error;
    } finally {
      this.#standing -= 1;
      this.#scopes.delete(scope);
      this.#broken.delete(scope);
      if (name !== undefined) this.#named.delete(name);
    }
  }

  /** Waits until the run continues as new. Only a cancellation ends it. */
  async #hold(): Promise<void> {
    this.#held += 1;
    try {
      await condition(() => false);
    } finally {
      this.#held -= 1;
    }
  }

  /**
   * Runs all branches, each as soon as those it comes after have ended. If one fails, no other is begun; those that run are
   * cancelled and awaited, and then its error is thrown. An error that is none of Temporal's is a bug and is thrown at once: it fails
   * the workflow's task, nothing is cancelled, and a mended worker goes on here. Throws if some branches can never begin.
   */
  async sideBySide(branches: readonly Branch[]): Promise<void> {
    const scope = new CancellationScope();
    await scope.run(async () => {
      const ended = new Set<string>();
      const begun = new Map<string, Promise<void>>();
      let running = 0;
      let failure: { error: unknown } | undefined;
      const bug = Promise.withResolvers<never>();
      const beginReady = () => {
        for (const branch of branches) {
          if (failure === undefined && !begun.has(branch.name) && branch.after.every((name) => ended.has(name)))
            begun.set(branch.name, guard(branch));
        }
      };
      const guard = async ({ name, work }: Branch) => {
        // The first is the caller's own branch, which waits for all of them.
        if (running > 0) this.#branches += 1;
        running += 1;
        try {
          await work();
          ended.add(name);
          // This comes before the own branch is taken off, so the run never seems to have fewer branches than it has.
          beginReady();
        } catch (error) {
          failure ??= { error };
          if (error instanceof TemporalFailure) scope.cancel();
          else bug.reject(error);
        } finally {
          running -= 1;
          if (running > 0) this.#branches -= 1;
        }
      };
      beginReady();
      // Branches that begin meanwhile are awaited too.
      for (const branch of begun.values()) await Promise.race([branch, bug.promise]);
      if (failure !== undefined) throw failure.error;
      if (ended.size < branches.length) throw new Error('some branches can never begin');
    });
  }
}
