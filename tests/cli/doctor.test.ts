/** `critic doctor`: what its job is asked for. What it finds is tested on a real Slurm. */
import { describe, expect, it } from 'vitest';
import { critic, fakeServer } from './fakes.ts';

describe('doctor', () => {
  const healthy = () => fakeServer({ examineCluster: { status: 'COMPLETED', result: () => [] } });

  it.each([
    [[], 1],
    [['--gpus', '8'], 8],
    [['--gpus', '8', '--cpus', '64'], 64],
  ])('with %j asks for %d CPUs of each node, at least one for each GPU', async (options, cpus) => {
    const server = healthy();
    expect((await critic(['doctor', ...options], server)).code).toBe(0);
    expect([...server.started.values()]).toEqual([[expect.objectContaining({ cpus })]]);
  });

  it('refuses fewer CPUs than GPUs, since srun would', async () => {
    const server = healthy();
    const { code, err } = await critic(['doctor', '--gpus', '8', '--cpus', '4'], server);
    expect({ code, err }).toEqual({ code: 1, err: 'critic: --cpus: expected at least 8, one for each GPU, got 4\n' });
    expect(server.started.size).toBe(0);
  });
});
