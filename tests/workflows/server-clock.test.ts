/** The server's clock, asked of a real one. */
import { Client, Connection } from '@temporalio/client';
import { expect, inject, it } from 'vitest';
import { serverNow } from '../../cli/doctor/server-clock.ts';

it('is told within a second or two, and again, though this machine’s clock is another one', async () => {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  try {
    const client = new Client({ connection });
    for (let time = 0; time < 2; time += 1) {
      const before = Date.now();
      const now = await serverNow(client);
      // Here both are one machine's.
      expect(now).toBeGreaterThanOrEqual(before - 50);
      expect(now).toBeLessThanOrEqual(Date.now() + 50);
    }
  } finally {
    await connection.close();
  }
});
