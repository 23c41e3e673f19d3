/** By which channels a notice goes. */
import { expect, it } from 'vitest';
import { goesBy } from '../../../activities/notify/pump.ts';
import type { ChannelsFile } from '../../../input/channels-file.ts';

it('a channel for failures alone gets the digest of a night that failed, and not that of one that passed', () => {
  const file: ChannelsFile = { channels: { pager: { file: { path: '/p' }, only: ['failed'] } }, default: ['pager'] };
  expect(goesBy('pager', { kind: 'night-ended', also: ['failed'] }, file)).toBe(true);
  expect(goesBy('pager', { kind: 'night-ended', also: ['passed'] }, file)).toBe(false);
});
