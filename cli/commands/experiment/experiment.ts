/** `critic experiment …`: one question asked by many runs (docs/EXPERIMENTS.md). */
import type { Register } from '../../shell.ts';
import { registerLooking } from './look.ts';
import { registerRunning } from './run.ts';

export const registerExperiment: Register = (program, shell) => {
  const experiment = program.command('experiment').description('one question asked by many runs');
  registerRunning(experiment, shell);
  registerLooking(experiment, shell);
};
