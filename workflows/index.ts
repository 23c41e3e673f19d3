/** Workflows that a worker registers. Names are wire contracts. */
export { runJobs } from './run-jobs.ts';
export { trainCritic } from './train-critic.ts';
