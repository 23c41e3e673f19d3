/** The Temporal server binary: $TEMPORAL_CLI_PATH, else `temporal` on PATH, else the one built into the cache. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { StackConfig } from './stack-config.ts';

/** Version that builds from the Go module proxy. Newer tags have a nested module that is not there. */
export const temporalVersion = 'v1.5.1';

export function temporalBinary(config: StackConfig): string {
  const found = findTemporal(config);
  if (found === undefined) throw new Error('no Temporal server binary: run `npm start`, which gets one');
  return found;
}

export function findTemporal(config: StackConfig): string | undefined {
  const onPath = (process.env.PATH ?? '').split(':').map((folder) => join(folder, 'temporal'));
  const candidates = [process.env.TEMPORAL_CLI_PATH ?? '', ...onPath, join(config.cache, 'temporal', 'temporal')];
  return candidates.find((candidate) => candidate.startsWith('/') && isExecutable(candidate));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not ours to run: the next candidate is tried
  }
}
