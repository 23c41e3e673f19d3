/** Workflows that a worker registers. Names are wire contracts. */
export { examineCluster } from './examine-cluster.ts';
export { planRun } from './plan-run.ts';
export { caretaker } from './caretaker.ts';
export { reapOrphans } from './reap-orphans.ts';
export { runExperiment } from './run-experiment.ts';
export { runJobs } from './run-jobs.ts';
export { runNight } from './run-night.ts';
export { scorePairs } from './score-pairs.ts';
export { trainCritic } from './train-critic.ts';
