/** `mix`, `sft`, `grpo` and `predict` of a recipe: what the jobs are given. */
import * as z from 'zod';
import { fraction, learningRate, positiveInt } from './fields.ts';
import { resources } from './resources.ts';

const threads = positiveInt
  .default(1)
  .describe('CPU threads of the process. Another number makes no job again. Whole number, at least 1; default 1.');
const saveSteps = positiveInt.describe('Optimiser steps between two checkpoints. Steps, at least 1; required.');

export const mix = z
  .strictObject({
    direct_per_reasoning: z
      .number()
      .min(0)
      .max(10)
      .default(1)
      .describe('Records with the bare score for each record with reasoning. Ratio, 0 to 10; default 1, as published.'),
  })
  .describe('What SFT learns from; default as its fields say.');

export const sft = z
  .strictObject({
    batch_size: positiveInt.describe('Records in one micro-batch of one process. Whole number, at least 1; required.'),
    gradient_accumulation: positiveInt
      .default(1)
      .describe('Micro-batches in one optimiser step of each process. Whole number, at least 1; default 1.'),
    global_batch_size: positiveInt
      .optional()
      .describe(
        'Records in one optimiser step over all processes, needed with deepspeed. Whole number, at least 1; optional, else batch_size × gradient_accumulation.',
      ),
    deepspeed: z
      .enum(['none', 'zero2', 'zero3'])
      .default('none')
      .describe(
        'How training is spread over the GPUs of all nodes: none (one process), zero2 or zero3, which are stages of DeepSpeed; default none.',
      ),
    processes_per_node: positiveInt
      .max(16)
      .optional()
      .describe(
        'Processes on each node under deepspeed where gpus_per_node is 0. Whole number, 1 to 16; optional, else 1.',
      ),
    learning_rate: learningRate.describe(
      'Highest learning rate; it falls as a cosine unless llamafactory says otherwise. No unit, above 0, at most 1; required.',
    ),
    epochs: z
      .number()
      .positive()
      .max(100)
      .describe('Passes over the mix. Passes, above 0, at most 100, fractions allowed; required.'),
    warmup_ratio: fraction
      .default(0.1)
      .describe('Share of the steps in which the learning rate rises. Fraction, 0 to 1; default 0.1.'),
    cutoff_len: positiveInt.describe(
      'Longest record, pictures included; a longer one is refused. Tokens, at least 1; required.',
    ),
    save_steps: saveSteps,
    threads,
    llamafactory: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()], 'expected a text, a number, true or false'))
      .default({})
      .describe('Further arguments of LLaMA-Factory 0.9.5, except those that the trainer sets itself; default none.'),
    resources,
  })
  .describe('Supervised fine-tuning of the base model; required.');

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
    resources,
  })
  .describe('Reinforcement learning from the model after SFT; required.');

export const predict = z
  .strictObject({
    batch_size: positiveInt.describe(
      'Rows that are answered at once. Another number makes the predictions again. Whole number, at least 1; required.',
    ),
    max_new_tokens: positiveInt.describe('Longest answer. Tokens, at least 1; required.'),
    sampled_temperature: z
      .number()
      .positive()
      .max(2)
      .default(1)
      .describe('Temperature of the sampled answer, beside the greedy one. No unit, above 0, at most 2; default 1.'),
    threads,
    resources,
  })
  .describe('Predictions on the test split, of the base, after SFT and after GRPO; required.');
