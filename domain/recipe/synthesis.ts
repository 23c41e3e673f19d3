/** `synthesis` of a recipe: how the teacher is asked for critiques, what is kept, and what it may cost. */
import * as z from 'zod';
import { type TeacherPromptVersion, teacherPromptVersions } from '../critique/prompt.ts';
import { fraction, positiveInt, usd } from './fields.ts';

const prices = z
  .strictObject({
    input: usd.describe('Price of prompt tokens. USD per million tokens, at least 0; required.'),
    cached_input: usd.describe('Price of prompt tokens from the cache. USD per million tokens, at least 0; required.'),
    output: usd.describe('Price of tokens of answers. USD per million tokens, at least 0; required.'),
    batch_discount: fraction
      .default(0.5)
      .describe('Share that the Batch API takes off the prices. Fraction, 0 to 1; default 0.5.'),
  })
  .describe("The teacher's prices; required.");

/** Limits of one file are OpenAI's own (API reference, "Create batch"). */
const batch = z
  .strictObject({
    queued_tokens: positiveInt
      .default(1_350_000)
      .describe(
        "Prompt tokens that may stand in batches at once: the account's batch queue limit. Tokens, at least 1; default 1,350,000.",
      ),
    requests_per_batch: positiveInt
      .max(50_000)
      .default(50_000)
      .describe('Most requests in one batch. Whole number, 1 to 50,000; default 50,000.'),
    shard_bytes: positiveInt
      .max(200_000_000)
      .default(190_000_000)
      .describe('Largest input file of a batch. Bytes, 1 to 200,000,000; default 190,000,000.'),
    poll_seconds: z
      .number()
      .positive()
      .max(3600)
      .default(60)
      .describe('Pause between two looks at the batches. Seconds, above 0, at most 3600; default 60.'),
    completion_window: z
      .literal('24h')
      .default('24h')
      .describe('Time in which the server promises the answers: 24h, the only one there is; default 24h.'),
  })
  .describe('How the Batch API is used, where api is batch; default as its fields say.');

const filter = z
  .strictObject({
    min_words: positiveInt
      .default(80)
      .describe('Fewest words of a critique that is kept. Words, at least 1, not above max_words; default 80.'),
    max_words: positiveInt
      .default(600)
      .describe('Most words of a critique that is kept. Words, at least 1; default 600.'),
    near_duplicate: fraction
      .nullable()
      .default(0.9)
      .describe(
        "MinHash similarity to an earlier row's critique from which one is rejected. Fraction, 0 to 1; null rejects none; default 0.9.",
      ),
  })
  .describe('Which critiques are kept; default as its fields say.');

const asking = z
  .strictObject({
    model: z.string().min(1).max(256).describe("Name of the teacher's model as its server has it; required."),
    prompt: z
      .enum(teacherPromptVersions)
      .optional()
      .describe(
        'Version of the prompt: teacher-v1 or teacher-edited-v1; optional, else the one with which the teacher sees what the critic sees.',
      ),
    api: z
      .enum(['chat', 'batch'])
      .default('chat')
      .describe(
        'How the teacher is asked: chat (one by one) or batch (cheaper, within a day). It may change at any time; default chat.',
      ),
    batch: batch.prefault({}),
    detail: z
      .enum(['low', 'high'])
      .default('high')
      .describe('How large the teacher sees the pictures: low (512 pixels) or high (2048 pixels); default high.'),
    temperature: z
      .number()
      .min(0)
      .max(2)
      .default(0.7)
      .describe('Sampling temperature of the teacher. No unit, 0 to 2; default 0.7.'),
    max_tokens: positiveInt
      .max(16_384)
      .default(800)
      .describe('Longest answer. Tokens, 1 to 16,384, below tokens_per_minute; default 800.'),
    request_timeout_seconds: positiveInt
      .max(600)
      .default(120)
      .describe('Longest wait for one answer. Seconds, 1 to 600; default 120.'),
    concurrency: positiveInt
      .max(1024)
      .default(256)
      .describe(
        'Most requests in flight. How many there are follows from the rate and the latency. Whole number, 1 to 1024; default 256.',
      ),
    requests_per_minute: positiveInt.describe(
      "Most requests that you allow; the account's own limit holds too. Requests a minute, at least 1; required.",
    ),
    tokens_per_minute: positiveInt.describe(
      "Most tokens that you allow; the account's own limit holds too. Tokens a minute, at least 1, above max_tokens; required.",
    ),
    tries_per_row: positiveInt
      .max(10)
      .default(3)
      .describe('Most answers that are asked for one row before it is set aside. Whole number, 1 to 10; default 3.'),
    minimum_yield: fraction
      .default(0.95)
      .describe(
        'Share of rows that must have a critique, else the stage asks the operator. Fraction, 0 to 1; default 0.95.',
      ),
    budget_usd: usd.describe('Most that synthesis may cost. USD, at least 0; required.'),
    prices,
    filter: filter.prefault({}),
  })
  .describe('How the teacher writes critiques; required.');
/** Where no teacher is asked: there are no critiques, or the dataset has them. */
export const untaught = ['none', 'human'] as const;
export const synthesis = z
  .union([z.enum(untaught), asking])
  .describe(
    'How the teacher writes critiques; none: SFT learns bare scores; human: the critiques are those of the dataset; required.',
  );
/** `prompt` is there once the recipe was checked. */
export type SynthesisSettings = z.output<typeof asking> & { prompt: TeacherPromptVersion };
