/**
 * The cut: where a run continues as new, so that no history grows without bound. A cut needs every branch of the run to stand
 * at a place that can be entered again: a watcher (it has no side effect), an open question, a pause. Once the history is long
 * and all branches stand at such places at the same time, they are held there, and the run continues as new with its state.
 *
 * Nothing unwinds: a held branch keeps its cancellation scope, so that a cancel in that moment still ends its job.
 */
import { allHandlersFinished, CancellationScope, condition, isCancellation, workflowInfo } from '@temporalio/workflow';

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

  /** Runs branches side by side; if one fails, the others are cancelled and awaited before its error goes on. */
  async together<A, B>(branches: [() => Promise<A>, () => Promise<B>]): Promise<[A | undefined, B | undefined]> {
    const scope = new CancellationScope();
    return scope.run(async () => {
      const [first, second] = branches;
      let failure: unknown;
      let isSplit = true;
      this.#branches += 1;
      const guard = async <T>(branch: () => Promise<T>): Promise<T | undefined> => {
        try {
          return await branch();
        } catch (error) {
          if (failure === undefined) {
            failure = error;
            scope.cancel();
          }
          return undefined;
        } finally {
          if (isSplit) this.#branches -= 1;
          isSplit = false;
        }
      };
      const results = await Promise.all([guard(first), guard(second)]);
      if (failure !== undefined) throw failure;
      return results;
    });
  }
}
