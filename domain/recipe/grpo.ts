/** `grpo` of a recipe: reinforcement learning. Fields below `onRay` are for engines that run on Ray. */
import * as z from 'zod';
import { fraction, learningRate, positiveInt, processesPerNode, saveSteps, threads } from './fields.ts';
import { resources } from './resources.ts';

const ownKeys = z
  .record(
    z.string().regex(/^[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*$/, 'expected names with dots between'),
    z.union([z.string(), z.number(), z.boolean()], 'expected a text, a number, true or false'),
  )
  .optional();

const onRay = {
  prompts_per_update: positiveInt
    .optional()
    .describe(
      'Prompts whose answers make one optimiser update, with easyr1 and verl. Whole number, at least 1, a divisor of prompts_per_step; optional, else prompts_per_step.',
    ),
  max_prompt_length: positiveInt
    .optional()
    .describe('Longest prompt, pictures included, needed with easyr1 and verl. Tokens, at least 1; optional.'),
  tensor_parallel: positiveInt
    .max(16)
    .optional()
    .describe(
      'GPUs that hold one copy of the model while it answers, with easyr1 and verl. Whole number, 1 to 16; optional, else 1.',
    ),
  gpu_memory_utilization: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe(
      'Part of a GPU that answering may take, with easyr1 and verl. Fraction, above 0, at most 1; optional, else 0.6.',
    ),
  processes_per_node: processesPerNode.describe(
    'Processes on each node where gpus_per_node is 0, with easyr1 and verl. Whole number, 1 to 16; optional, else 1.',
  ),
  save_limit: z
    .int()
    .min(3)
    .max(100)
    .optional()
    .describe('Checkpoints that are kept, with easyr1 and verl. Whole number, 3 to 100; optional, else 3.'),
  validate_steps: z
    .int()
    .min(0)
    .optional()
    .describe(
      'Optimiser steps between two validations on the dev split, with easyr1 and verl. Steps, at least 0, which is never; optional, else 0.',
    ),
  max_lost_minutes: z
    .number()
    .positive()
    .max(1440)
    .optional()
    .describe(
      'Work that a kill may cost, with easyr1 and verl: a resumed attempt saves more often than save_steps if need be. Minutes, above 0, at most 1440; optional.',
    ),
  easyr1: ownKeys.describe('Further keys of EasyR1, dotted, except those that the trainer sets itself; optional.'),
  verl: ownKeys.describe('Further keys of verl, dotted, except those that the trainer sets itself; optional.'),
};

const reward = z
  .strictObject({
    shape: z
      .enum(['l1', 'l2', 'gaussian', 'laplace'])
      .default('l1')
      .describe('How accuracy falls with the distance of score and MOS: l1, l2, gaussian or laplace; default l1.'),
    format_weight: z
      .number()
      .min(0)
      .max(10)
      .default(1)
      .describe('Weight of the format reward beside accuracy. No unit, 0 to 10; default 1.'),
    floor: fraction.default(0.05).describe('Least accuracy reward of a readable answer. Reward, 0 to 1; default 0.05.'),
  })
  .describe('What an answer is rewarded for; default as its fields say.');

export const grpo = z
  .strictObject({
    engine: z
      .enum(['trl', 'easyr1', 'verl'])
      .default('trl')
      .describe('What trains: trl (one GPU), easyr1 or verl (any number, on Ray); default trl.'),
    steps: positiveInt.describe('Optimiser steps. Steps, at least 1; required.'),
    prompts_per_step: positiveInt.describe(
      'Prompts that one step samples; the train split needs as many rows. Whole number, at least 1; required.',
    ),
    generations: z.int().min(2).max(64).describe('Answers to each prompt. Whole number, 2 to 64; required.'),
    learning_rate: learningRate.describe('Learning rate, constant. No unit, above 0, at most 1; required.'),
    temperature: z
      .number()
      .positive()
      .max(2)
      .default(1)
      .describe('Sampling temperature of the answers. No unit, above 0, at most 2; default 1.'),
    beta: z.number().min(0).default(0).describe('Weight of the KL term. No unit, at least 0; default 0, as published.'),
    epsilon: z
      .number()
      .positive()
      .max(1)
      .default(0.2)
      .describe('Lower clip of the probability ratio: 1 − epsilon. No unit, above 0, at most 1; default 0.2.'),
    epsilon_high: z
      .number()
      .positive()
      .max(1)
      .default(0.28)
      .describe('Upper clip of the probability ratio: 1 + epsilon_high. No unit, above 0, at most 1; default 0.28.'),
    max_completion_length: positiveInt.describe('Longest answer. Tokens, at least 1; required.'),
    save_steps: saveSteps,
    threads,
    reward: reward.prefault({}),
    micro_batch_size: positiveInt
      .optional()
      .describe(
        'Answers in one backward pass of one process, needed with easyr1 and verl. Whole number, at least 1; optional, else a whole step.',
      ),
    ...onRay,
    resources,
  })
  .describe('Reinforcement learning from the model after SFT, or from the base model where sft is none; required.');
