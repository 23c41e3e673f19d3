/** What is needed to read or write artifacts. The worker builds it. */
import type { ArtifactStore } from './artifact-store.ts';

export interface StoreDeps {
  store: ArtifactStore;
}
