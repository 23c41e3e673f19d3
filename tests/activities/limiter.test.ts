import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Permit, RateLimiter } from '../../activities/limiter.ts';

const never = new AbortController().signal;

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

/** Queues `count` requests; the permits appear as they are released. */
function queue(limiter: RateLimiter, count: number, tokens: number): Permit[] {
  const released: Permit[] = [];
  for (let i = 0; i < count; i += 1) void limiter.acquire(tokens, never).then((permit) => released.push(permit));
  return released;
}

describe('the limiter', () => {
  it('sends the first request at once, even one larger than what a fresh bucket may burst', async () => {
    const released = queue(makeLimiter(60, 1000), 1, 5000);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(1);
  });

  it('bursts five seconds worth when fresh, then keeps to tokens per minute', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(released).toHaveLength(15);
  });

  it('keeps to requests per minute when those bind', async () => {
    const released = queue(makeLimiter(60, 10_000_000), 100, 200);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(released.length).toBeGreaterThanOrEqual(34);
    expect(released.length).toBeLessThanOrEqual(35);
  });

  it('bursts what the server says is left', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(200, { limitTokens: 12_000, remainingTokens: 11_800 });
    await vi.advanceTimersByTimeAsync(0);
    // 11,800 less the four sent since: 55 more.
    expect(released).toHaveLength(60);
  });

  it('slows to the limit that the server states when the recipe states twice as much', async () => {
    const released = queue(makeLimiter(10_000, 24_000), 1000, 200);
    await vi.advanceTimersByTimeAsync(0);
    released[0]?.settle(200, { limitTokens: 12_000, remainingTokens: 0 });
    const before = released.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(released.length - before).toBeLessThanOrEqual(60);
    expect(released.length - before).toBeGreaterThanOrEqual(50);
  });

  it('gives back what was reserved too much, if the server states nothing', async () => {
    const released = queue(makeLimiter(10_000, 12_000), 100, 1000);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(1);
    released[0]?.settle(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toHaveLength(2);
  });

  it('after a 429 lets one go when Retry-After is over, and the others after it one by one', async () => {
    const limiter = makeLimiter(10_000, 12_000);
    const released = queue(limiter, 50, 200);
    await vi.advanceTimersByTimeAsync(0);
    for (const permit of released.slice()) permit.refused(20_000);
    await vi.advanceTimersByTimeAsync(19_900);
    expect(released).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(200);
    expect(released).toHaveLength(6);
    // 0.7 of 200 tokens a second: one request each 1.43 s.
    await vi.advanceTimersByTimeAsync(3000);
    expect(released).toHaveLength(8);
  });

  it('decreases once for refusals that were in flight together, and recovers with answers', async () => {
    const limiter = makeLimiter(10_000, 12_000);
    const released = queue(limiter, 50, 200);
    await vi.advanceTimersByTimeAsync(10);
    released[0]?.refused(0);
    released[1]?.refused(0);
    expect(limiter.factor).toBeCloseTo(0.7);
    released[2]?.settle(200);
    expect(limiter.factor).toBeCloseTo(0.71);
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
    const waiting = limiter.acquire(1000, controller.signal);
    controller.abort(new Error('stop now'));
    await expect(waiting).rejects.toThrow('stop now');
  });
});
