/** `critic schedule …`: nights as schedules of Temporal (docs/NIGHTS.md). */
import type { Register } from '../../shell.ts';
import { registerApply } from './apply.ts';
import { registerChange } from './change.ts';
import { registerLook } from './look.ts';

export const registerSchedule: Register = (program, shell) => {
  const schedule = program.command('schedule').description('nights: runs that begin by themselves');
  registerApply(schedule, shell);
  registerLook(schedule, shell);
  registerChange(schedule, shell);
};
