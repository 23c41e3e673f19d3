/** `resources` of a recipe's jobs: what Slurm is asked for. In no artifact's key. */
import * as z from 'zod';
import { nodeName, oneSlurmName, positiveInt, slurmNames } from './fields.ts';

export const resources = z
  .strictObject({
    partition: slurmNames.optional().describe("Slurm partition; optional, else the cluster's default."),
    account: oneSlurmName.optional().describe("Slurm account that is charged; optional, else the user's default."),
    qos: oneSlurmName.optional().describe("Slurm quality of service; optional, else the account's default."),
    nodes: positiveInt
      .max(64)
      .default(1)
      .describe('Nodes of the job. Whole number, 1 to 64, at most what the engine uses; default 1.'),
    gpus_per_node: z
      .int()
      .min(0)
      .max(16)
      .default(1)
      .describe('GPUs on each node. Whole number, 0 to 16, at most what the engine uses; 0 asks for none; default 1.'),
    gpu_type: nodeName.optional().describe('Type of GPU as Slurm names it (a100); optional, else any.'),
    cpus: positiveInt.max(512).default(1).describe('CPUs on each node. Whole number, 1 to 512; default 1.'),
    memory_mib: positiveInt
      .optional()
      .describe(
        "Memory on each node. MiB, at least 1; optional, else the cluster's default, which no retry can raise.",
      ),
    time_limit_minutes: positiveInt
      .max(60 * 24 * 14)
      .describe('Time limit of each attempt. Minutes, 1 to 20160 (14 days); required.'),
    exclude_nodes: z.array(nodeName).default([]).describe('Names of nodes that are never used; default none.'),
  })
  .describe('What Slurm is asked for; required.');
/** Of a job that computes on no GPU. */
export const cpuResources = resources
  .extend({
    gpus_per_node: z
      .int()
      .min(0)
      .max(16)
      .default(0)
      .describe('GPUs on each node, which nothing uses. Whole number, 0 to 16, at most 1; 0 asks for none; default 0.'),
  })
  .describe('What Slurm is asked for; required.');
export type Resources = z.output<typeof resources>;
