import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Slots } from '../../activities/slots.ts';
import { rejection } from './fixtures.ts';

it('slots let so many run at once, the others in order, also after a failure', async () => {
  const slots = new Slots(2);
  const started: number[] = [];
  let running = 0;
  let most = 0;
  const work = (index: number) =>
    slots.run(async () => {
      started.push(index);
      running += 1;
      most = Math.max(most, running);
      await sleep(2);
      running -= 1;
      if (index === 1) throw new Error('one went wrong');
      return index;
    });
  const all = await Promise.allSettled(Array.from({ length: 7 }, (_, index) => work(index)));
  expect(most).toBe(2);
  expect(started).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
  expect(await rejection(work(1))).toMatchObject({ message: 'one went wrong' });
  expect(await work(8)).toBe(8);
});
