/** `mix`, `sft` and `predict` of a recipe: what the jobs are given. */
import * as z from 'zod';
import { fraction, learningRate, positiveInt, processesPerNode, saveSteps, threads } from './fields.ts';
import { cpuResources, resources } from './resources.ts';

export const mix = z
  .strictObject({
    cot: fraction
      .optional()
      .describe(
        'Records with reasoning for each pair; 0 is bare scores only. Ratio, 0 to 1; optional, else 1, as published.',
      ),
    direct: z
      .number()
      .min(0)
      .max(10)
      .optional()
      .describe(
        'Records with the bare score for each pair; 0 is reasoning only. Ratio, 0 to 10; optional, else cot × direct_per_reasoning.',
      ),
    direct_per_reasoning: z
      .number()
      .min(0)
      .max(10)
      .optional()
      .describe(
        'Records with the bare score for each record with reasoning, where direct is not given. Ratio, 0 to 10; optional, else 1.',
      ),
  })
  .describe('What SFT learns from; default as its fields say.');

const tokenize = z
  .strictObject({
    threads: positiveInt
      .default(1)
      .describe('Processes that tokenise. Another number makes nothing again. Whole number, at least 1; default 1.'),
    resources: cpuResources,
  })
  .optional()
  .describe('A job that tokenises the mix before SFT; optional, else SFT does it, and all processes wait for one.');

const training = z
  .strictObject({
    engine: z
      .enum(['llamafactory'])
      .default('llamafactory')
      .describe('What trains: llamafactory; default llamafactory.'),
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
    processes_per_node: processesPerNode.describe(
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
    tokenize,
    llamafactory: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()], 'expected a text, a number, true or false'))
      .default({})
      .describe('Further arguments of LLaMA-Factory 0.9.5, except those that the trainer sets itself; default none.'),
    resources,
  })
  .describe('Supervised fine-tuning of the base model; required.');
export type SftSettings = z.output<typeof training>;
export const sft = z
  .union([z.literal('none'), training])
  .describe('Supervised fine-tuning of the base model; none: GRPO begins from the base model; required.');

/** Marks such as <|im_end|> would end the answer, or stand for a picture that is not there. */
const prefill = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !text.includes('<|'), 'expected a text without the marks of a chat template, which begin with <|')
  .optional();

export const predict = z
  .strictObject({
    engine: z
      .enum(['transformers', 'vllm'])
      .default('transformers')
      .describe('What answers: transformers or vllm; default transformers.'),
    processes_per_node: processesPerNode.describe(
      'Processes on each node where gpus_per_node is 0; else each GPU has one. Rows are shared out among all. Whole number, 1 to 16; optional, else 1.',
    ),
    batch_size: positiveInt.describe(
      'Rows that a process answers at once, and finishes before it stops. Another number makes the predictions again. Whole number, at least 1; required.',
    ),
    max_new_tokens: positiveInt.describe('Longest answer. Tokens, at least 1; required.'),
    sampled_temperature: z
      .number()
      .positive()
      .max(2)
      .default(1)
      .describe('Temperature of the sampled answers, beside the greedy one. No unit, above 0, at most 2; default 1.'),
    samples: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe(
        'Sampled answers to each row. Evaluation reads the first, the artifact has all. Whole number, 1 to 64; optional, else 1.',
      ),
    prefill: prefill.describe(
      'How each answer begins: a part of its text that the model is given. Text of at most 200 characters, e.g. <think>; optional, else nothing.',
    ),
    max_prompt_length: positiveInt
      .optional()
      .describe(
        'For vllm: longest prompt, pictures included; a longer one is refused. Tokens, at least 1; optional, else what the model can take.',
      ),
    gpu_memory_utilization: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe("For vllm: its share of a GPU's memory. Fraction, above 0, at most 1; optional, else 0.9."),
    threads,
    resources,
  })
  .describe('Predictions on the test split, of the base, after SFT and after GRPO; required.');
