/** Experiments that are watched: a line for each thing that happens to a run, then table and report of each. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import type { ExperimentView } from '../../../domain/experiment/experiment.ts';
import { exitCodes } from '../../cli-error.ts';
import { resultOf } from '../../run-handle.ts';
import { type Shell, textOf, type View, type ViewOptions } from '../../shell.ts';
import { silenceOf, whenLate } from '../../workers.ts';
import { serverAway, unlessAway } from '../watch.ts';
import { findExperiment, resultSchema, viewOf } from './experiments.ts';

/** How watching ended, of each experiment. `left`: it goes on. */
const ending = z.discriminatedUnion('status', [
  z.object({ status: z.literal('ended'), ...resultSchema.shape }),
  z.object({ status: z.literal('left'), id: z.string() }),
  z.object({ status: z.literal('failed'), id: z.string(), sentence: z.string() }),
]);
export type ExperimentEnding = z.output<typeof ending>;
const endings = z.array(ending);
export const experimentEndingsView: View<ExperimentEnding[]> = {
  schema: endings,
  lines: (all) => all.flatMap(endLines),
};

function endLines(end: ExperimentEnding): string[] {
  if (end.status === 'left') return [`${end.id} goes on`];
  if (end.status === 'failed') return [`${end.id}: ${end.sentence}`];
  return ['', end.id, ...end.summary.trimEnd().split('\n'), `Report: ${end.report}`];
}

/** Watches until all have ended, or the person leaves. Ctrl-C leaves them going on. Sets the exit code: 1 if one failed. */
export async function followExperiments(
  shell: Shell,
  client: Client,
  ids: readonly string[],
  options: ViewOptions,
  intervalMs = 2000,
): Promise<void> {
  const screen = options.json === true ? shell.stderr : shell.stdout;
  for (const id of ids) screen.write(`${id}\n`);
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const say = (line: string) => screen.write(`${line}\n`);
    const ends = await Promise.all(ids.map((id) => watchExperiment(client, id, say, stop.signal, intervalMs)));
    shell.stdout.write(`${textOf(experimentEndingsView, ends, options)}\n`);
    if (ends.some(({ status }) => status === 'left')) {
      if (options.json !== true) shell.stdout.write(`Watch again: critic experiment watch ${ids.join(' ')}\n`);
      shell.exitWith(exitCodes.stoppedWatching);
    } else shell.exitWith(ends.some(({ status }) => status === 'failed') ? exitCodes.failed : exitCodes.done);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** Says what happens until it has ended. `silentMs`: after so long without an answer of a worker it is said once that none answers. */
export async function watchExperiment(
  client: Client,
  id: string,
  say: (line: string) => void,
  signal: AbortSignal,
  intervalMs: number,
  silentMs = 5000,
): Promise<ExperimentEnding> {
  const told = new Map<string, string>();
  let [answeredAt, isSilent, isAway] = [performance.now(), false, false];
  while (!signal.aborted) {
    const seen = await unlessAway(client, () => findExperiment(client, id));
    if (seen === undefined) {
      if (!isAway) say(`${id}: ${serverAway}`);
      isAway = true;
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
      continue;
    }
    isAway = false;
    const { handle, isOpen } = seen;
    const tellSilence = () => {
      if (!isOpen || isSilent) return;
      say(`${id}: ${silenceOf('experiment')}`);
      isSilent = true;
    };
    const view = await whenLate(viewOf(client, handle), silentMs, tellSilence);
    // A server that has forgotten the last worker says at once that nobody answers.
    if (view === undefined && performance.now() - answeredAt >= silentMs) tellSilence();
    if (view !== undefined) {
      [answeredAt, isSilent] = [performance.now(), false];
      for (const line of newLines(view, told)) say(line);
    }
    if (!isOpen) return endOf(id, async () => resultOf(handle, resultSchema));
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined); // aborted: the loop's condition sees it
  }
  return { status: 'left', id };
}

async function endOf(id: string, result: () => Promise<z.output<typeof resultSchema>>): Promise<ExperimentEnding> {
  try {
    return { status: 'ended', ...(await result()) };
  } catch (error) {
    return { status: 'failed', id, sentence: error instanceof Error ? error.message : String(error) };
  }
}

/** A line for each member whose status is another one than at the last look. */
function newLines({ name, members }: ExperimentView, told: Map<string, string>): string[] {
  return members.flatMap(({ arm, seed, status, run, mainScore, sentence }) => {
    const key = `${arm} ${seed}`;
    if (status === 'pending' || told.get(key) === status) return [];
    told.set(key, status);
    const score = mainScore === null ? '' : `, MainScore ${mainScore.toFixed(3)}`;
    return [
      `${name}: ${arm}, seed ${seed}: ${status}${score}${sentence === undefined ? '' : `: ${sentence}`} (${run})`,
    ];
  });
}
