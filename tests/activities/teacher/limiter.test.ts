import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RateLimiter } from '../../../activities/teacher/limiter.ts';
import type { Permit, RequestSize } from '../../../activities/teacher/permit.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function makeLimiter(requestsPerMinute: number, tokensPerMinute: number): RateLimiter {
  const limiter = new RateLimiter();
  limiter.claim({ requestsPerMinute, tokensPerMinute });
  return limiter;
}

function size(tokens: number): RequestSize {
  return { kind: 'test', prompt: tokens, output: 0 };
}

function used(tokens: number): { input: number; output: number } {
  return { input: tokens, output: 0 };
}

/** Queues `count` requests; the permits appear as they are released. */
function queue(limiter: RateLimiter, count: number, tokens: number): Permit[] {
  const released: Permit[] = [];
  for (let i = 0; i < count; i += 1) void limiter.acquire(size(tokens), never).then((permit) => released.push(permit));
  return released;
}

describe('the limiter', () => {
  it('sends the first request at once, even one larger than what a fresh bucket may burst', async () => {
    const released = queue(makeLimiter(60, 1000), 1, 5000);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(1);
  });

  it('does not burst before the server has said how much is left, but keeps to tokens per minute', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10_100);
    expect(released).toHaveLength(11);
  });

  it('keeps to requests per minute when those bind', async () => {
    const released = queue(makeLimiter(60, 10_000_000), 100, 200);
    await vi.advanceTimersByTimeAsync(30_000);
    // One at once, then one a second.
    expect(released).toHaveLength(31);
  });

  it('bursts what the server says is left: most of it at once, the rest when answers show what it takes', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(used(200), { limitTokens: 12_000, remainingTokens: 11_800 });
    await vi.advanceTimersByTimeAsync(0);
    // 11,800 less a second's worth would be 58 more.
    expect(released.length).toBeGreaterThan(1 + 0.75 * 58);
    expect(released.length).toBeLessThanOrEqual(1 + 58);
    for (const [index, permit] of released.slice(1).entries()) {
      permit.settle(used(200), { limitTokens: 12_000, remainingTokens: 11_600 - 200 * index });
    }
    await vi.advanceTimersByTimeAsync(0);
    expect(released.length).toBeGreaterThan(1 + 0.9 * 58);
    expect(released.length).toBeLessThanOrEqual(1 + 58);
  });

  it('knows how much is left when answers come late: what flowed in and what was sent since', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(10_100);
    expect(released).toHaveLength(11);
    // One was sent a second, and a second's worth flowed in between: at each of them 2,000 were left.
    for (const permit of released.slice(0, 8)) permit.settle(used(200), { limitTokens: 12_000, remainingTokens: 2000 });
    await vi.advanceTimersByTimeAsync(0);
    // 2,000 and 620 of the last three seconds, less the last three and a second's worth: nine more.
    expect(released.length).toBeGreaterThanOrEqual(11 + 6);
    expect(released.length).toBeLessThanOrEqual(11 + 9);
  });

  it('does not believe an older request’s news over a newer one’s', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(10_100);
    released[10]?.settle(used(200), { limitTokens: 12_000, remainingTokens: 0 });
    released[0]?.settle(used(200), { limitTokens: 12_000, remainingTokens: 11_800 });
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(11);
  });

  it('stays at what the recipe allows when the server allows more', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 500, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(used(200), { limitTokens: 120_000, remainingTokens: 119_800 });
    await vi.advanceTimersByTimeAsync(0);
    // The allowed minute's worth at once, then the allowed rate.
    expect(released).toHaveLength(60);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(released.length).toBeGreaterThanOrEqual(89);
    expect(released.length).toBeLessThanOrEqual(90);
  });

  it('slows to the limit that the server states when the recipe states twice as much', async () => {
    const released = queue(makeLimiter(10_000, 24_000), 1000, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(used(200), { limitTokens: 12_000, remainingTokens: 0 });
    const before = released.length;
    let answered = before;
    let left = 0;
    for (let ms = 0; ms < 60_000; ms += 100) {
      await vi.advanceTimersByTimeAsync(100);
      left += 20;
      for (const permit of released.slice(answered)) {
        answered += 1;
        left -= 200;
        const remainingTokens = Math.max(0, left);
        setTimeout(() => permit.settle(used(200), { limitTokens: 12_000, remainingTokens }), 1000);
      }
    }
    expect(released.length - before).toBeLessThanOrEqual(61);
    expect(released.length - before).toBeGreaterThanOrEqual(57);
  });

  it('gives back what was reserved too much, if the server states nothing', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 1000);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(1);
    released[0]?.settle(used(0));
    await vi.advanceTimersByTimeAsync(10);
    // Without it the next one would need five seconds.
    expect(released).toHaveLength(2);
  });

  it('after a 429 lets one go when Retry-After is over, and the others after it one by one', async () => {
    const limiter = makeLimiter(10_000, 12_000);
    const released = queue(limiter, 50, 200);
    await vi.advanceTimersByTimeAsync(10_100);
    expect(released).toHaveLength(11);
    for (const permit of released.slice()) permit.refused({ retryAfterMs: 20_000 });
    await vi.advanceTimersByTimeAsync(19_900);
    expect(released).toHaveLength(11);
    await vi.advanceTimersByTimeAsync(200);
    expect(released).toHaveLength(12);
    // 0.7 of 200 tokens a second: one request each 1.43 s.
    await vi.advanceTimersByTimeAsync(3000);
    expect(released).toHaveLength(14);
  });

  it('waits for a refusal by some milliseconds and keeps its rate: it came too early', async () => {
    const limiter = makeLimiter(10_000, 12_000);
    const released = queue(limiter, 50, 200);
    await vi.advanceTimersByTimeAsync(3000);
    expect(released).toHaveLength(4);
    released[3]?.refused({ retryAfterMs: 66, about: 'tokens' }, { limitTokens: 12_000, remainingTokens: 187 });
    expect(limiter.factor).toBe(1);
    await vi.advanceTimersByTimeAsync(60);
    expect(released).toHaveLength(4);
    for (const permit of released.slice(0, 3)) permit.settle(used(200), { limitTokens: 12_000, remainingTokens: 187 });
    // A second's worth stays in the bucket.
    await vi.advanceTimersByTimeAsync(3000);
    expect(released.length).toBeGreaterThanOrEqual(5);
  });

  it('slows down when refusals by some milliseconds do not end', async () => {
    const limiter = makeLimiter(10_000, 12_000);
    const released = queue(limiter, 50, 200);
    for (let i = 0; i < 8; i += 1) {
      await vi.advanceTimersByTimeAsync(3000);
      released.at(-1)?.refused({ retryAfterMs: 20 });
    }
    expect(limiter.factor).toBeLessThan(1);
  });

  it('closes the bucket that a refusal is about, not the other one', async () => {
    const limiter = makeLimiter(60, 12_000);
    const released = queue(limiter, 50, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(undefined);
    await vi.advanceTimersByTimeAsync(5000);
    const before = released.length;
    released.at(-1)?.refused({ retryAfterMs: 500, about: 'requests' });
    await vi.advanceTimersByTimeAsync(700);
    expect(released.length).toBe(before + 1);
  });

  it('counts by usage from the first answer on: a kind whose prompts cost ten times ours', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(used(2000), { limitTokens: 12_000, remainingTokens: 10_000 });
    await vi.advanceTimersByTimeAsync(0);
    expect(released.length).toBeGreaterThanOrEqual(1 + 3);
    expect(released.length).toBeLessThanOrEqual(1 + 4);
  });

  it('decreases once for refusals that were in flight together, and recovers with answers', async () => {
    const limiter = makeLimiter(10_000, 12_000);
    const released = queue(limiter, 50, 200);
    await vi.advanceTimersByTimeAsync(3000);
    released[0]?.refused({ retryAfterMs: 5000 });
    released[1]?.refused({ retryAfterMs: 5000 });
    expect(limiter.factor).toBeCloseTo(0.7);
    released[2]?.settle(used(200));
    expect(limiter.factor).toBeCloseTo(0.71);
  });

  it('learns the true limit from a refusal: at twice the limit few are refused', async () => {
    const limiter = makeLimiter(10_000, 24_000);
    const server = { level: 0, at: performance.now() };
    let [admitted, refused] = [0, 0];
    const serve = (permit: Permit) => {
      server.level = Math.min(12_000, server.level + ((performance.now() - server.at) / 60_000) * 12_000);
      server.at = performance.now();
      const fits = server.level >= 200;
      if (fits) server.level -= 200;
      const news = { limitTokens: 12_000, remainingTokens: server.level };
      const waitMs = ((200 - server.level) / 12_000) * 60_000;
      // A refusal is quick, an answer takes its time.
      setTimeout(
        () => (fits ? permit.settle(used(150), news) : permit.refused({ retryAfterMs: waitMs }, news)),
        fits ? 8000 : 50,
      );
      if (fits) admitted += 1;
      else refused += 1;
    };
    for (let i = 0; i < 1000; i += 1) void limiter.acquire(size(200), never).then(serve);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(admitted).toBeGreaterThanOrEqual(0.97 * 600);
    expect(refused).toBeLessThanOrEqual(3);
  });

  it('gives several users of one key the lowest of their limits, and the rest their own again afterwards', async () => {
    const limiter = makeLimiter(60_000, 12_000_000);
    const leave = limiter.claim({ requestsPerMinute: 60, tokensPerMinute: 12_000_000 });
    const released = queue(limiter, 1500, 1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(released.length).toBeLessThan(20);
    leave();
    await vi.advanceTimersByTimeAsync(3000);
    expect(released.length).toBeGreaterThan(1000);
  });

  it('forgets an aborted request and rejects it with the reason of the signal', async () => {
    const limiter = makeLimiter(60, 1000);
    queue(limiter, 1, 1000);
    const controller = new AbortController();
    const waiting = limiter.acquire(size(1000), controller.signal);
    controller.abort(new Error('stop now'));
    await expect(waiting).rejects.toThrow('stop now');
  });
});
