/**
 * The cut: where a run continues as new, so that no history grows without bound. A cut needs every branch of the run to stand
 * at a place that can be entered again: a watcher (it has no side effect), an open question, a pause. Once the history is long
 * and all branches stand at such places at the same time, they are held there, and the run continues as new with its state.
 *
 * Nothing unwinds: a held branch keeps its cancellation scope, so that a cancel in that moment still ends its job.
 */
import { allHandlersFinished, CancellationScope, condition, isCancellation, workflowInfo } from '@temporalio/workflow';

/** A part of a run that goes on by itself. `after`: names of those that must have ended before. */
export interface Branch {
  name: string;
  after: readonly string[];
  work: () => Promise<void>;
}

export class Cut {
  readonly #historyEvents: number;
  readonly #scopes = new Set<CancellationScope>();
  #branches = 1;
  #standing = 0;
  #held = 0;
  #begun = false;

  /** `historyEvents`: a history of this length is long. Temporal's own suggestion (some 4,000, or 4 MB) counts as well. */
  constructor(historyEvents: number) {
    this.#historyEvents = historyEvents;
  }

  get isDue(): boolean {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    return continueAsNewSuggested || historyLength >= this.#historyEvents;
  }

  /**
   * Runs the whole `walk`. Where it is cut, `goOn` is called, which continues as new; it must not be called for any other
   * reason. An error of the walk goes on.
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

  /** Runs `work`, which may be broken off and done again by the continued run; it must have no effect. */
  async interruptible<T>(work: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.#scopes.add(scope);
    this.#standing += 1;
    try {
      const result = await scope.run(work);
      if (this.#begun) await this.#hold();
      return result;
    } catch (error) {
      // Broken off by the cut, or ended badly in the same moment: either way the continued run does it again.
      if (this.#begun && !(isCancellation(error) && CancellationScope.current().consideredCancelled))
        await this.#hold();
      throw error;
    } finally {
      this.#standing -= 1;
      this.#scopes.delete(scope);
    }
  }

  /** Waits until the run continues as new; ended by a cancellation alone. */
  async #hold(): Promise<void> {
    this.#held += 1;
    try {
      await condition(() => false);
    } finally {
      this.#held -= 1;
    }
  }

  /**
   * Runs all branches, each as soon as those it comes after have ended. If one fails, no other is begun, and those that run are
   * cancelled and awaited before its error goes on. Throws if some can never begin.
   */
  async sideBySide(branches: readonly Branch[]): Promise<void> {
    const scope = new CancellationScope();
    await scope.run(async () => {
      const ended = new Set<string>();
      const begun = new Map<string, Promise<void>>();
      let running = 0;
      let failure: { error: unknown } | undefined;
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
          // Before this one is taken off: at no moment does the run seem to have fewer branches than it has.
          beginReady();
        } catch (error) {
          failure ??= { error };
          scope.cancel();
        } finally {
          running -= 1;
          if (running > 0) this.#branches -= 1;
        }
      };
      beginReady();
      // Those that begin meanwhile are awaited as well.
      for (const branch of begun.values()) await branch;
      if (failure !== undefined) throw failure.error;
      if (ended.size < branches.length) throw new Error('some branches can never begin');
    });
  }
}
