/** `critic watch`: shows a run until it ends, and its result. `run` and `demo` go on with this when a run has begun. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isGrpcServiceError, ServiceError } from '@temporalio/client';
import * as z from 'zod';
import { stageSchema } from '../../domain/manifest.ts';
import { aRun } from '../arguments.ts';
import { CliError, exitCodes } from '../cli-error.ts';
import { leave } from '../interrupt.ts';
import { findRun, followedTypes, resultOf, type SeenRun, viewOf } from '../run-handle.ts';
import { type RunResult, runResult, verdictLines } from '../views/run-result.ts';
import { scoringLines, scoringResult } from '../views/scoring-result.ts';
import { cleanLines } from '../views/run-text.ts';
import { type Register, type Shell, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { watchTerminal, type Watching } from '../views/terminal.ts';
import { silenceOf, whenLate } from '../workers.ts';

const question = z.object({
  id: z.string(),
  stage: stageSchema,
  sentence: z.string(),
  remedy: z.string().exactOptional(),
  logTail: z.string(),
  commands: z.array(z.string()),
});
/** How watching ended. A run that failed or was cancelled gives a CliError instead. */
const ending = z.discriminatedUnion('status', [
  // `page`: the run's page in the Temporal UI, if one is configured.
  z.object({ status: z.literal('ended'), run: z.string(), page: z.string().optional(), ...runResult.shape }),
  z.object({ status: z.literal('scored'), run: z.string(), page: z.string().optional(), ...scoringResult.shape }),
  z.object({ status: z.literal('waiting'), run: z.string(), questions: z.array(question) }),
  z.object({ status: z.literal('left'), run: z.string() }),
]);

export type Ending = z.output<typeof ending>;
export const endingView: View<Ending> = { schema: ending, lines: renderEnding };

export interface WatchInput {
  run: string;
  /** Shows each look. */
  terminal: Watching;
  /** Stop watching when the run waits for an operator. */
  failOnQuestion: boolean;
  /** Stop watching: the person has left. */
  signal: AbortSignal;
  page?: string | undefined;
  /** Pause between two looks, ms. */
  intervalMs?: number;
  /** After so long without an answer of a worker it is said that none answers, ms. */
  silentMs?: number;
}

/** Shows a run until it ends. Throws a CliError if the run is not known, failed or was cancelled. */
export async function watch(client: Client, input: WatchInput): Promise<Ending> {
  const { run, terminal, failOnQuestion, signal, page, intervalMs = 1000, silentMs = 5000 } = input;
  let answeredAt = performance.now();
  try {
    while (!signal.aborted) {
      const seen = await unlessAway(client, () => findRun(client, run, followedTypes));
      if (seen === undefined) {
        terminal.note(serverAway);
        await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
        continue;
      }
      const { isOpen, isScoring, progress } = seen;
      const tellSilence = () => {
        if (isOpen) terminal.note(silenceOf(isScoring ? 'scoring' : 'run'));
      };
      const view = await whenLate(viewOf(client, seen), silentMs, tellSilence);
      // A server that has forgotten the last worker says at once that nobody answers.
      if (view === undefined && performance.now() - answeredAt >= silentMs) tellSilence();
      if (view !== undefined) {
        terminal.show(view, progress);
        answeredAt = performance.now();
      }
      if (!isOpen && isScoring) return { status: 'scored', run, page, ...(await resultOf(seen.handle, scoringResult)) };
      if (!isOpen) return { status: 'ended', run, page, ...(await verdictOf(seen)) };
      const questions = view?.questions ?? [];
      if (failOnQuestion && questions.length > 0) return ending.parse({ status: 'waiting', run, questions });
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined); // aborted: the loop's condition sees it
    }
    return { status: 'left', run };
  } finally {
    terminal.stop();
  }
}

export const serverAway = 'Temporal gives no answer: what is under way goes on, and is shown again once it answers';

/** DEADLINE_EXCEEDED and UNAVAILABLE of gRPC. */
const away = [4, 14];
const lookMs = 5_000;

/** Undefined while the server, or the way to it, is down or stands still. */
export async function unlessAway<T>(client: Client, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await client.withDeadline(Date.now() + lookMs, look);
  } catch (error) {
    const cause = error instanceof ServiceError ? error.cause : error;
    const code: number | undefined = isGrpcServiceError(cause) ? cause.code : undefined;
    if (code !== undefined && away.includes(code)) return undefined;
    throw error;
  }
}

/** A run without a verdict is told with what may be done about it. */
async function verdictOf({ handle, status }: SeenRun): Promise<RunResult> {
  try {
    return await resultOf(handle, runResult);
  } catch (error) {
    if (!(error instanceof CliError) || status === 'COMPLETED') throw error;
    throw new CliError(
      `${error.message}\nGo on from what it has saved with: npm run critic -- resume ${handle.workflowId}`,
    );
  }
}

/** Table, verdict with its reasons, what was reused, and where report and history are. */
function renderEnding(end: Ending): string[] {
  if (end.status === 'waiting') return [`run ${end.run} waits for an operator`];
  if (end.status === 'left') return [`run ${end.run} goes on`];
  if (end.status === 'scored')
    return ['', ...end.summary.trimEnd().split('\n').flatMap(cleanLines), '', ...scoringLines(end, end.page)];
  return [
    ...(end.summary === '' ? [] : ['', ...end.summary.trimEnd().split('\n')]),
    '',
    ...verdictLines(end, end.page),
  ];
}

export interface FollowOptions extends ViewOptions {
  failOnQuestion?: true;
}

/**
 * Watches a run for the person at the terminal and sets the exit code. With `--json` the run is shown on stderr, and stdout has only the
 * ending. Ctrl-C asks whether the run should go on. A second one leaves it running.
 */
export async function follow(shell: Shell, client: Client, run: string, options: FollowOptions, ui?: string) {
  const page = ui === undefined ? undefined : `${ui}/namespaces/${client.options.namespace}/workflows/${run}`;
  const screen = options.json === true ? shell.stderr : shell.stdout;
  screen.write(`run ${run}\n${page === undefined ? '' : `${page}\n`}`);
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const failOnQuestion = options.failOnQuestion === true;
    const end = await watch(client, {
      run,
      terminal: watchTerminal(screen, { env: shell.env }),
      failOnQuestion,
      signal: stop.signal,
      page,
    });
    if (end.status === 'left' && options.json !== true) await leave(shell, client, run);
    else if (end.status === 'waiting' && options.json !== true) throw waits(run);
    else shell.stdout.write(`${textOf(endingView, end, options)}\n`);
    shell.exitWith(exitCodeOf(end));
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function waits(run: string): CliError {
  return new CliError(`run ${run} waits for an operator`, exitCodes.asksOperator);
}

function exitCodeOf(end: Ending): number {
  if (end.status === 'left') return exitCodes.stoppedWatching;
  if (end.status === 'waiting') return exitCodes.asksOperator;
  if (end.status === 'scored') return exitCodes.done;
  return end.passed ? exitCodes.done : exitCodes.notPassed;
}

export const registerWatch: Register = (program, shell) => {
  program
    .command('watch')
    .argument('<run>', 'id of the run, as "critic run" prints it', aRun)
    .option('--json', 'print how it ended as JSON; the run is shown on stderr')
    .description('show a run until it ends')
    .action((run: string, options: ViewOptions) =>
      withClient(shell, async (client, { ui }) => {
        await findRun(client, run, followedTypes); // a run that does not exist is told before anything is shown
        await follow(shell, client, run, options, ui);
      }),
    );
};
