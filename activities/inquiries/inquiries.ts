/**
 * Inquiries: the activity that answers what a person asks of store and cluster (`domain/inquiries.ts`). An inquiry may come from the Temporal UI's
 * form as well as from our CLI, so each answerer checks its input with zod.
 */
import { cut, describeIssue, shown } from '../../domain/errors.ts';
import type { Inquiry, InquiryName } from '../../domain/inquiries.ts';
import { refuse } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import type { Answerer } from './answerer.ts';
import { answerArtifact, answerArtifactCheck, answerArtifacts, answerPin, answerUnpin } from './artifacts.ts';
import { answerChampionPromote, answerChampions } from './champions.ts';
import { answerCompare } from './compare.ts';
import { answerAttempts, answerCheckpoints } from './run-attempts.ts';
import { answerLog } from './run-log.ts';
import { answerMetrics } from './run-metrics.ts';
import { answerGc } from './gc.ts';
import { answerHealth, type HealthDeps } from './health.ts';
import { answerNightCheck } from './night-check.ts';
import { answerNights } from './nights.ts';
import { answerNotice, answerNoticeRetry, answerNotices, answerNoticeTest } from './notices.ts';
import { answerScoringCheck } from './scoring-check.ts';
import { answerPlan } from './run-plan.ts';

/** Temporal takes 2 MB; a history of many replies must stay small. */
const maxReplyBytes = 100 * 1024;

export function createInquiryActivities(deps: HealthDeps) {
  const answerers = {
    plan: checked(answerPlan(deps)),
    health: checked(answerHealth(deps)),
    attempts: checked(answerAttempts(deps)),
    checkpoints: checked(answerCheckpoints(deps)),
    log: checked(answerLog(deps)),
    metrics: checked(answerMetrics(deps)),
    artifacts: checked(answerArtifacts(deps)),
    artifact: checked(answerArtifact(deps)),
    'artifact-verify': checked(answerArtifactCheck(deps)),
    'artifact-pin': checked(answerPin(deps)),
    'artifact-unpin': checked(answerUnpin(deps)),
    champions: checked(answerChampions(deps)),
    'champion-promote': checked(answerChampionPromote(deps)),
    compare: checked(answerCompare(deps)),
    'scoring-check': checked(answerScoringCheck(deps)),
    'night-check': checked(answerNightCheck(deps)),
    notices: checked(answerNotices(deps)),
    notice: checked(answerNotice(deps)),
    'notice-retry': checked(answerNoticeRetry(deps)),
    'notice-test': checked(answerNoticeTest(deps)),
    nights: checked(answerNights(deps)),
    gc: checked(answerGc(deps)),
  } satisfies Record<InquiryName, Checked>;
  return {
    /** The reply to an inquiry. Refuses one that is unknown or malformed, and a reply of more than 100 KiB (a bug of its answerer). */
    async answerInquiry(inquiry: Inquiry): Promise<unknown> {
      const { name, input } = inquiry;
      if (!Object.hasOwn(answerers, name)) {
        throw refuse(
          'InquiryUnknown',
          // CLIs of releases without this type go by these words.
          `inquiry: expected one of ${Object.keys(answerers).join(', ')}, got ${shown(name)}`,
        );
      }
      const reply = await heartbeating(name, () => answerers[name](input));
      const bytes = Buffer.byteLength(JSON.stringify(reply));
      if (bytes > maxReplyBytes)
        throw new Error(`the reply to "${name}" has ${bytes} bytes, more than ${maxReplyBytes}`);
      return reply;
    },
  };
}

type Checked = (input: unknown) => Promise<unknown>;

/** Checks the input first. Refuses one that does not fit, by field, value and expectation. */
function checked<Name extends InquiryName>({ input: schema, answer }: Answerer<Name>): Checked {
  return async (input) => {
    const read = schema.safeParse(input, { reportInput: true });
    if (read.success) return answer(read.data);
    const [issue] = read.error.issues;
    const field = (issue?.path ?? []).join('.') || 'input';
    throw refuse('ConfigInvalid', `${cut(field)}: ${issue === undefined ? 'not usable' : describeIssue(issue)}`);
  };
}
