/** Workflows that a worker registers. Names are wire contracts. */
export { trainCritic } from './train-critic.ts';
