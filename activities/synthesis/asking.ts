/**
 * Asking: one row until it has an answer that passes, or is out of tries. First money is reserved, then the limiter is waited for, then
 * the question is logged and sent. The outcome is logged before it counts. Each answer that comes is a try. A server that is away is no
 * try: it is waited for with backoff, and after `maxUnavailable` failures in a row the activity fails and is retried as a whole.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplicationFailure } from '@temporalio/activity';
import type { LimitFunction } from 'p-limit';
import { cost } from '../../domain/estimate/budget.ts';
import type { Pair } from '../../domain/manifest.ts';
import type { FolderLease } from '../store/folder-lease.ts';
import type { RateLimiter } from '../teacher/limiter.ts';
import type { Permit } from '../teacher/permit.ts';
import type { SynthesisLog } from './log.ts';
import { prepareQuestion, type Prepared, type QuestionSource, readPictures } from './question.ts';
import type { TeacherAnswer } from '../teacher/answer.ts';
import type { TeacherClient } from '../teacher/client.ts';
import type { SpendingCap } from './spending-cap.ts';
import { backoffMs } from '../backoff.ts';
import { passing, refuse } from '../failure.ts';

export const maxUnavailable = 8;
export const longestBackoffMs = 60_000;

export interface AskingDeps extends QuestionSource {
  client: TeacherClient;
  limiter: RateLimiter;
  /** Lets only a few rows at a time read and send their pictures: a full bucket releases hundreds of requests at once. */
  sending: LimitFunction;
  log: SynthesisLog;
  /** It is checked before each request: a worker that was replaced while it stood still sends nothing more. */
  lease: FolderLease;
  spending: SpendingCap;
  retryBaseMs: number;
  /** Ends requests at once, when the activity is cancelled. */
  cancelled: AbortSignal;
  /** Ends waiting, but no request, when the stage stops for any reason. */
  halted: AbortSignal;
}

/** Asks for one more answer of the row. Returns when the answer is in the log. */
export async function askRow(deps: AskingDeps, pair: Pair): Promise<void> {
  const prepared = prepareQuestion(deps, pair, deps.log.answers(pair.id).length + 1);
  for (let failures = 0; ; failures += 1) {
    const answer = await askOnce(deps, prepared);
    if (answer.kind === 'critique' || answer.kind === 'unusable') return;
    // The limiter holds all rows back. How often one row must wait says nothing about the server.
    if (answer.kind === 'rate-limited') failures -= 1;
    else await backOff(deps, failures, answer);
  }
}

async function askOnce(deps: AskingDeps, prepared: Prepared): Promise<TeacherAnswer> {
  const { spending, halted } = deps;
  const { usd } = prepared;
  halted.throwIfAborted();
  if (!(await spending.reserve(usd))) throw budgetExceeded(deps, usd);
  let used = 0;
  try {
    const asked = () => {
      used = usd;
    };
    const { permit, coming } = await deps.sending(() => send(deps, prepared, asked));
    const answer = await lostIfThrown(permit, () => coming);
    settlePermit(permit, answer);
    used = await recordOutcome(deps, prepared, answer);
    return answer;
  } finally {
    spending.settle(usd, used);
  }
}

/** Waits for room, then reads the pictures, logs the question and sends it. Returns when it is sent. The answer is `coming`. */
async function send(
  deps: AskingDeps,
  { question, pictures, base, usd, tokens }: Prepared,
  asked: () => void,
): Promise<{ permit: Permit; coming: Promise<TeacherAnswer> }> {
  const { model, prompt, detail } = deps.settings;
  const size = {
    kind: `${model} ${prompt} ${detail}`,
    prompt: tokens - question.maxTokens,
    output: question.maxTokens,
  };
  const permit = await deps.limiter.acquire(size, deps.halted);
  return lostIfThrown(permit, async () => {
    const request = deps.client.request(question, await readPictures(deps.datasetPath, pictures));
    await deps.lease.check();
    await deps.log.record({ event: 'asked', ...base, usd, at: now() });
    asked();
    const coming = deps.client.ask(request, deps.cancelled);
    await Promise.race([request.body.taken, coming]);
    return { permit, coming };
  });
}

async function lostIfThrown<T>(permit: Permit, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    permit.lost();
    throw error;
  }
}

/** What is known of a request when its outcome comes. `base.batch`: the batch that brought it. */
interface Outcome {
  base: Prepared['base'] & { batch?: string };
  /** What is reserved for it. */
  usd: number;
  question: { model: string };
}

/** Logs the outcome. Returns what it cost, or may have cost. */
export async function recordOutcome(
  deps: Pick<AskingDeps, 'log' | 'settings'>,
  { base, usd, question }: Outcome,
  answer: TeacherAnswer,
): Promise<number> {
  const { log, settings } = deps;
  switch (answer.kind) {
    case 'critique':
    case 'unusable': {
      const usage = answer.usage ?? { input: 0, cachedInput: 0, output: 0 };
      // If a server states no usage, the reserved amount counts as its cost.
      const paid = answer.usage === undefined ? usd : cost(usage, settings.prices);
      const common = { ...base, usd: paid, at: now(), model: answer.model || question.model, usage };
      if (answer.kind === 'critique') await log.record({ event: 'answered', ...common, critique: answer.critique });
      else await log.record({ event: 'unusable', ...common, reason: answer.reason, detail: answer.detail });
      return paid;
    }
    case 'rate-limited':
      await log.record({ event: 'unpaid', ...base, usd: 0, at: now(), detail: 'rate limited' });
      return 0;
    case 'unavailable': {
      const event = answer.maybePaid ? ('lost' as const) : ('unpaid' as const);
      const doubt = answer.maybePaid ? usd : 0;
      await log.record({ event, ...base, usd: doubt, at: now(), detail: answer.detail.slice(0, 300) });
      return doubt;
    }
  }
}

function settlePermit(permit: Permit, answer: TeacherAnswer): void {
  switch (answer.kind) {
    case 'critique':
    case 'unusable':
      permit.settle(answer.usage, answer.news);
      return;
    case 'rate-limited':
      permit.refused(answer.refusal, answer.news);
      return;
    case 'unavailable':
      permit.lost();
  }
}

async function backOff(
  deps: AskingDeps,
  failures: number,
  answer: Extract<TeacherAnswer, { kind: 'unavailable' }>,
): Promise<void> {
  if (failures + 1 >= maxUnavailable) {
    throw passing(
      'TeacherUnavailable',
      `the teacher was away ${maxUnavailable} times in a row, at last: ${answer.detail}; all answers so far are kept`,
    );
  }
  const pauseMs = answer.retryAfterMs ?? backoffMs(failures, { baseMs: deps.retryBaseMs, longestMs: longestBackoffMs });
  await sleep(pauseMs, undefined, { signal: deps.halted });
}

export function budgetExceeded(
  deps: Pick<AskingDeps, 'settings' | 'log'> & { spending: { spent: number } },
  usd: number,
): ApplicationFailure {
  const { spending, settings, log } = deps;
  const doubt = log.uncertain.reduce((sum, request) => sum + request.usd, 0);
  const uncertain = doubt > 0 ? `, of which ${dollars(doubt)} for requests whose answer never came` : '';
  return refuse(
    'BudgetExceeded',
    `synthesis stopped at its cap: ${dollars(spending.spent)} of recipe.synthesis.budget_usd ${dollars(settings.budget_usd)} is spent` +
      `${uncertain}, and the next request may cost ${dollars(usd)}. ${log.counts.answered} answers are kept. ` +
      'To go on, answer "retry" with a higher cap (--budget USD): only what is missing is asked',
  );
}

/** USD with enough digits to tell small amounts apart. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 1 ? 4 : 2)}`;
}

function now(): string {
  return new Date().toISOString();
}
