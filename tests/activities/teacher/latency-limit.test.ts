import { describe, expect, it } from 'vitest';
import { LatencyLimit } from '../../../activities/teacher/latency-limit.ts';

function answered(limit: LatencyLimit, count: number, ms: number, inFlight: number): void {
  for (let i = 0; i < count; i += 1) limit.answered(ms, inFlight);
}

describe('the latency limit', () => {
  it('is none while answers take as long as usual, however long that is', () => {
    const limit = new LatencyLimit();
    answered(limit, 1000, 30_000, 256);
    expect(limit.limit).toBe(Number.POSITIVE_INFINITY);
  });

  it('is not put in place by one slow answer', () => {
    const limit = new LatencyLimit();
    answered(limit, 100, 5000, 40);
    limit.answered(60_000, 40);
    expect(limit.limit).toBe(Number.POSITIVE_INFINITY);
  });

  it('takes a tenth off, once for all that is in flight, when answers take more than twice as long', () => {
    const limit = new LatencyLimit();
    answered(limit, 200, 5000, 100);
    answered(limit, 40, 20_000, 100);
    expect(limit.limit).toBe(90);
    answered(limit, 100, 20_000, 90);
    expect(limit.limit).toBe(81);
  });

  it('never goes below four', () => {
    const limit = new LatencyLimit();
    answered(limit, 200, 1000, 6);
    answered(limit, 100, 50_000, 5);
    expect(limit.limit).toBe(4);
  });

  it('is lifted again when answers are as quick as before', () => {
    const limit = new LatencyLimit();
    answered(limit, 200, 5000, 100);
    answered(limit, 40, 20_000, 100);
    answered(limit, 60, 5000, 90);
    const during = limit.limit;
    expect(during).toBeGreaterThan(90);
    expect(during).toBeLessThan(1000);
    answered(limit, 200, 5000, 90);
    expect(limit.limit).toBe(Number.POSITIVE_INFINITY);
  });
});
