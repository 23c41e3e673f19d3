/** What is needed to read or write artifacts. The worker builds it. */
import type { ArtifactStore } from './artifact-store.ts';

export interface StoreDeps {
  store: ArtifactStore;
  /** Where the store's pages are served, a URL without a slash at the end. Undefined: nowhere. */
  pagesUrl?: string;
  /** Where Temporal's UI shows runs: with a slash and a run's id it is the URL of a run. Undefined: nowhere. */
  runsUrl?: string;
}
