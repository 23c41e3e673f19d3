/** An inquiry of another release: it is refused by a type of its own, and by the words that earlier command lines go by. */
import { expect, it } from 'vitest';
import { createInquiryActivities } from '../../../activities/inquiries/inquiries.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Inquiry } from '../../../domain/inquiries.ts';
import { activityEnvironment, inActivity } from '../fixtures.ts';

it.each(['of-tomorrow', 'toString'])('"%s" is refused as one that this release does not know', async (name) => {
  const { env } = activityEnvironment();
  const store = new ArtifactStore('/nowhere');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no answerer is asked
  const activities = createInquiryActivities({ store } as Parameters<typeof createInquiryActivities>[0]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a name that the type does not have
  const asked = inActivity(env, () => activities.answerInquiry({ name, input: {} } as unknown as Inquiry));
  await expect(asked).rejects.toMatchObject({
    type: 'InquiryUnknown',
    nonRetryable: true,
    message: expect.stringMatching(/^inquiry: expected one of plan, .*, got "/),
  });
});
