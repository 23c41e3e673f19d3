/** Workflows that a worker registers. Names are wire contracts. */
export { reapOrphans } from './reap-orphans.ts';
export { runJobs } from './run-jobs.ts';
export { trainCritic } from './train-critic.ts';
