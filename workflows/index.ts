/** Workflows that a worker registers. Names are wire contracts. */
export { examineCluster } from './upkeep/examine-cluster.ts';
export { planRun } from './plan-run.ts';
export { caretaker } from './upkeep/caretaker.ts';
export { reapOrphans } from './upkeep/reap-orphans.ts';
export { runExperiment } from './run-experiment.ts';
export { runJobs } from './jobs/run-jobs.ts';
export { runNight } from './nights/run-night.ts';
export { scorePairs } from './score-pairs.ts';
export { trainCritic } from './train-critic.ts';
