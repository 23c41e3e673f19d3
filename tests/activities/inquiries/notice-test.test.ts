/** A test of a channel that there is not: it is refused at once, and leaves no notice. */
import { describe, expect, it } from 'vitest';
import { answerNoticeTest } from '../../../activities/inquiries/notices.ts';
import { Outbox } from '../../../activities/notify/outbox.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { ChannelsFile } from '../../../input/channels-file.ts';
import { activityEnvironment, inActivity, temporaryFolder } from '../fixtures.ts';

describe('a test of a channel', () => {
  it.each<[ChannelsFile | undefined, string]>([
    [{ channels: { oncall: { file: { path: '/x' } } }, default: [] }, 'channel: expected one of oncall, got "nope"'],
    [undefined, 'channel: expected one of CRITIC_CHANNELS_FILE, which names none, got "nope"'],
  ])('that there is not is refused, and nothing is kept', async (channels, message) => {
    const root = await temporaryFolder();
    const deps = { store: new ArtifactStore(root), ...(channels === undefined ? {} : { channels }) };
    const asked = inActivity(activityEnvironment().env, () => answerNoticeTest(deps).answer({ channel: 'nope' }));
    await expect(asked).rejects.toMatchObject({ message, nonRetryable: true });
    expect(await new Outbox(root).ids()).toEqual([]);
  });
});
