/** Ctrl-C while a run is watched: asks whether the run should go on, and says how to come back. */
import { createInterface } from 'node:readline/promises';
import type { Client } from '@temporalio/client';
import { clusterOfRun } from './cluster.ts';
import type { Shell } from './shell.ts';
import { waitsForWorker } from './workers.ts';

/** Leaves a run that is watched. At a terminal the person may cancel it. Without an answer, or after a second Ctrl-C, it goes on. */
export async function leave(shell: Shell, client: Client, run: string): Promise<void> {
  const say = (line: string) => shell.stdout.write(`${line}\n`);
  const watch = `npm run critic -- watch ${run}`;
  if (shell.stdin.isTTY === true && (await wantsCancel(shell))) {
    await client.workflow.getHandle(run).cancel();
    say(`cancelling run ${run} and its jobs; see it end: ${watch}`);
    const waits = await waitsForWorker(client, await clusterOfRun(client, run), 'it ends');
    if (waits !== undefined) say(waits);
    return;
  }
  say(`\nThe run goes on. Watch it again: ${watch}\nCancel it and its jobs:  npm run critic -- cancel ${run}`);
}

async function wantsCancel({ stdin, stdout }: Shell): Promise<boolean> {
  const terminal = createInterface({ input: stdin, output: stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('\nCancel the run and its jobs? [y/N] ')).trim());
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return false; // a second Ctrl-C
    throw error;
  } finally {
    terminal.close();
  }
}
