/** What fields of a recipe are made of: names, numbers, paths, and what Slurm takes for a name. */
import * as z from 'zod';
import { isSafeName } from '../names.ts';

export const name = z
  .string()
  .refine((value) => isSafeName(value, 24), 'expected 1 to 24 of letters, digits, ".", "_" and "-", no leading dot');
export const runName = z.string().refine((value) => isSafeName(value), 'expected the name of a run');
export const positiveInt = z.int().positive();
export const fraction = z.number().min(0).max(1);
export const usd = z.number().min(0);
export const learningRate = z.number().positive().max(1);

/** PATH_MAX of Linux: no longer path can be opened. */
export const somePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((value) => !value.includes('\0'), 'expected a path without NUL');

/** What slurmrestd takes in a URL and every release in a request. Slurm's own names are narrower. */
const slurmName = (expected: string, pattern: RegExp) => z.string().max(255).regex(pattern, `expected ${expected}`);
export const oneSlurmName = slurmName('letters, digits, "_", ".", "@", "+" and "-"', /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/);
export const slurmNames = slurmName(
  'names of letters, digits, "_", ".", "@", "+" and "-", several with commas between',
  /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*(?:,[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*$/,
);
export const nodeName = slurmName('letters, digits, "_", "." and "-"', /^[A-Za-z0-9][A-Za-z0-9_.-]*$/);

export const threads = positiveInt
  .default(1)
  .describe('CPU threads of the process. Another number makes no job again. Whole number, at least 1; default 1.');
export const saveSteps = positiveInt.describe('Optimiser steps between two checkpoints. Steps, at least 1; required.');
/** As many as a node has GPUs at most. */
export const processesPerNode = positiveInt.max(16).optional();
