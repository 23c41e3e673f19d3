/** What is told to a run of its activities that fail, and when. */
import { beforeEach, describe, expect, it } from 'vitest';
import { WorkflowNotFoundError } from '@temporalio/common';
import { type Pending, TroubleTeller } from '../../workers/trouble-teller.ts';

const seconds = (at: number) => new Date(Date.UTC(2026, 10, 29) + at * 1000);
const scheduled = 1;
const started = 2;

/** An activity that has failed `attempt - 1` times, at `at` seconds. */
function failing(message: string, { state = scheduled, attempt = 4, at = 0, own = true } = {}) {
  return {
    activityId: 'sft-a1-submit',
    state,
    attempt,
    lastStartedTime: { seconds: seconds(at).getTime() / 1000 },
    lastFailure: { message, ...(own ? { applicationFailureInfo: {} } : { timeoutFailureInfo: {} }) },
  };
}

let sent: unknown[];
let teller: TroubleTeller;
const signal = async (...args: unknown[]) => void sent.push(args);
/** What the run shows; undefined: nobody answers for it. */
let shown: ReadonlySet<string> | undefined;
let asked: number;
const troubled = async () => {
  asked += 1;
  return shown;
};
const look = async (at: number, ...pending: Pending[]) =>
  teller.look({ signal, troubled }, 'run-1', pending, seconds(at));

beforeEach(() => {
  sent = [];
  asked = 0;
  shown = new Set(['sft-a1-submit']);
  teller = new TroubleTeller();
});

describe('an activity that is tried again', () => {
  it('is told at the second look in a row at which it fails, once for one reason', async () => {
    await look(0, failing('no answer'));
    expect(sent).toEqual([]);
    for (const at of [30, 60, 6000]) await look(at, failing('no answer'));
    expect(sent).toEqual([['trouble', { activityId: 'sft-a1-submit', why: 'no answer' }]]);
  });

  it('is told with a new reason not sooner than ten minutes after the last', async () => {
    for (const at of [0, 30]) await look(at, failing('after 30 s'));
    for (const at of [60, 90]) await look(at, failing('after 31 s'));
    expect(sent).toHaveLength(1);
    await look(700, failing('after 32 s'));
    expect(sent.at(-1)).toEqual(['trouble', { activityId: 'sft-a1-submit', why: 'after 32 s' }]);
  });

  it('is told again by an observer that begins anew, and is the same then', async () => {
    for (const at of [0, 30]) await look(at, failing('no answer'));
    teller = new TroubleTeller();
    for (const at of [60, 90]) await look(at, failing('no answer'));
    expect(sent).toEqual([sent[0], sent[0]]);
  });

  it('is taken back by an observer that begins anew and finds it mended, once, and not by one that saw it all along', async () => {
    const works = failing('no answer', { state: started, at: 0 });
    for (const at of [120, 150]) await look(at, works);
    expect(sent).toEqual([['trouble', { activityId: 'sft-a1-submit' }]]);
    teller = new TroubleTeller();
    await look(0, failing('no answer', { attempt: 1 }));
    await look(120, works);
    expect(sent).toHaveLength(1);
  });

  it('is not taken back where the run shows none, and the run is asked once, and again only if nobody has answered', async () => {
    const works = failing('no answer', { state: started, at: 0 });
    shown = undefined;
    await look(120, works);
    expect([asked, sent]).toEqual([1, []]);
    shown = new Set();
    for (const at of [150, 180]) await look(at, works);
    expect([asked, sent]).toEqual([2, []]);
    teller = new TroubleTeller();
    await look(0, failing('no answer', { attempt: 1, state: started }), failing('no answer'));
    expect(asked).toBe(2);
  });

  it('counts while a try has just begun, and is taken back when one works for a minute', async () => {
    await look(0, failing('no answer', { state: started, at: -5 }));
    await look(30, failing('no answer', { state: started, at: 25 }));
    expect(sent).toHaveLength(1);
    await look(120, failing('no answer', { state: started, at: 50 }));
    expect(sent.at(-1)).toEqual(['trouble', { activityId: 'sft-a1-submit' }]);
    await look(150, failing('no answer', { state: started, at: 50 }));
    expect(sent).toHaveLength(2);
  });

  it('is not told of a worker that went away, of a first try, or of one blip', async () => {
    for (const at of [0, 30]) await look(at, failing('activity Heartbeat timeout', { own: false }));
    for (const at of [60, 90]) await look(at, failing('', { attempt: 1 }));
    await look(120, failing('no answer'));
    await look(150);
    await look(180, failing('no answer'));
    expect(sent).toEqual([]);
  });

  it('is told in few words, and never to a run that has ended', async () => {
    for (const at of [0, 30]) await look(at, failing('x'.repeat(9000)));
    expect(JSON.stringify(sent)).toContain(`"${'x'.repeat(500)}"`);
    const gone = { troubled, signal: async () => Promise.reject(new WorkflowNotFoundError('gone', 'r', undefined)) };
    const pending = [failing('other')];
    const other = new TroubleTeller();
    for (const at of [0, 30]) {
      await other.look(gone, 'r', pending, seconds(at));
    }
  });
});
