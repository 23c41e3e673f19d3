/** Views: a folder seen as over a network, where names that were absent and sizes that were asked for are remembered. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new folder, and as many views of it, each of a machine of its own that remembers for `seconds`. Gone after the test. */
export function viewed<T extends string>(seconds: number, ...machines: T[]): { real: string } & Record<T, string> {
  const folder = mkdtempSync(join(tmpdir(), 'critic-stale-'));
  const real = join(folder, 'real');
  mkdirSync(real);
  const options = ['attr_timeout', 'entry_timeout', 'negative_timeout'].map((name) => `${name}=${seconds}`).join(',');
  const views = machines.map((machine): [T, string] => {
    const view = join(folder, machine);
    mkdirSync(view);
    execFileSync('bindfs', ['-o', options, real, view]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', view]);
    });
    return [machine, view];
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each of them
  return { real, ...(Object.fromEntries(views) as Record<T, string>) };
}
