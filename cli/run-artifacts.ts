/** Which artifacts a run has made or reused so far: by the run's own view, which a worker answers for a run that is over too. */
import type { Client } from '@temporalio/client';
import { findRun, queryView, UnknownRun } from './run-handle.ts';

/** Keys by stage. Empty where this Temporal has no such run, or no worker answers. */
export async function artifactKeys(client: Client, run: string): Promise<Record<string, string>> {
  try {
    const { handle } = await findRun(client, run);
    const view = await queryView(client, handle);
    return Object.fromEntries(
      (view?.stages ?? []).flatMap(({ stage, artifact }) => {
        const key = /\/([0-9a-f]{32})$/.exec(artifact ?? '')?.[1];
        return key === undefined ? [] : [[stage, key]];
      }),
    );
  } catch (error) {
    if (error instanceof UnknownRun) return {};
    throw error;
  }
}
