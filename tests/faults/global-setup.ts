/** One stack for all fault tests, from nothing. `FAULTS_KEEP=1` leaves it up and takes up the one that stands. */
import { removeState } from '../../infra/local/slurm-root.ts';
import { down, status, up } from '../../infra/local/stack.ts';
import { clearUp, config, furnish, startWorker, stopWorker } from './stack.ts';

export async function setup(): Promise<() => Promise<void>> {
  const keep = process.env['FAULTS_KEEP'] === '1';
  const quiet = () => undefined;
  await clearUp();
  if (!keep) {
    await down(config, quiet);
    removeState(config);
  }
  const stands = status(config).every(({ name, state }) => name === 'worker' || state === 'running');
  if (!keep || !stands) await up(config, quiet);
  await furnish();
  await startWorker();
  return async () => {
    await stopWorker();
    if (!keep) await down(config, quiet);
  };
}
