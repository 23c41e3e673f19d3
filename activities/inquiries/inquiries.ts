/**
 * Inquiries: the activity that answers what a person asks of store and cluster (`domain/inquiries.ts`). An inquiry may come from the Temporal UI's
 * form as well as from our CLI, so each answerer checks its input with zod.
 */
import { cut, describeIssue, shown } from '../../domain/errors.ts';
import type { Inquiry, InquiryName } from '../../domain/inquiries.ts';
import { refuse } from '../failure.ts';
import { heartbeating } from '../heartbeating.ts';
import type { StoreDeps } from '../store/deps.ts';
import type { Answerer } from './answerer.ts';
import { answerPlan } from './run-plan.ts';

type Answerers = { [Name in InquiryName]: Answerer<Name> };

/** Temporal takes 2 MB; a history of many replies must stay small. */
const maxReplyBytes = 100 * 1024;

export function createInquiryActivities(deps: StoreDeps) {
  const answerers: Answerers = { plan: answerPlan(deps) };
  return {
    /** The reply to an inquiry. Refuses one that is unknown or malformed, and a reply of more than 100 KiB (a bug of its answerer). */
    async answerInquiry(inquiry: Inquiry): Promise<unknown> {
      const { name, input } = inquiry;
      if (!Object.hasOwn(answerers, name)) {
        throw refuse(
          'ConfigInvalid',
          `inquiry: expected one of ${Object.keys(answerers).join(', ')}, got ${shown(name)}`,
        );
      }
      const { input: schema, answer }: Answerer<InquiryName> = answerers[name];
      const checked = schema.safeParse(input, { reportInput: true });
      if (!checked.success) {
        const [issue] = checked.error.issues;
        const field = ['input', ...(issue?.path ?? [])].join('.');
        throw refuse('ConfigInvalid', `${cut(field)}: ${issue === undefined ? 'not usable' : describeIssue(issue)}`);
      }
      const reply = await heartbeating(name, () => answer(checked.data));
      const bytes = Buffer.byteLength(JSON.stringify(reply));
      if (bytes > maxReplyBytes)
        throw new Error(`the reply to "${name}" has ${bytes} bytes, more than ${maxReplyBytes}`);
      return reply;
    },
  };
}
