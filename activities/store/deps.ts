/** What whoever reads or writes artifacts needs; the worker builds it. */
import type { ArtifactStore } from './artifact-store.ts';

export interface StoreDeps {
  store: ArtifactStore;
}
