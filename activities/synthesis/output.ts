/**
 * Synthesis output: the files of the artifact. `critiques.jsonl` (kept), `rejected.jsonl` (set aside, with every try's
 * reason) and `card.json` (how the data came to be). Plain writes into a folder that nobody reads before it is published.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { cost } from '../../domain/estimate/budget.ts';
import type { SynthesisSettings } from '../../domain/recipe.ts';
import { commonestOpening } from '../../domain/critique/repetition.ts';
import type { SynthesisLog } from './log.ts';
import { countReasons, type RowVerdict } from './verdicts.ts';
import { critiquePartsSchema } from '../teacher/answer.ts';

export const critiquesName = 'critiques.jsonl';
export const cardName = 'card.json';

/** A line of `critiques.jsonl`. `tone`: do words of praise and blame agree with the score? It is for people to look at. `input_tokens` includes `cached_input_tokens`. */
export const critiqueRowSchema = z.object({
  id: z.string(),
  critique: critiquePartsSchema,
  tone: z.enum(['agrees', 'contradicts']),
  model: z.string(),
  usage: z.object({ input_tokens: z.int(), cached_input_tokens: z.int(), output_tokens: z.int() }),
});

export interface Provenance {
  settings: SynthesisSettings;
  baseUrl: string;
  promptSha256: string;
  datasetKey: string;
}

export async function writeOutput(
  folder: string,
  verdicts: readonly RowVerdict[],
  log: SynthesisLog,
  provenance: Provenance,
): Promise<void> {
  const kept = verdicts.flatMap(({ pair, kept: answer }) => {
    if (answer === undefined) return [];
    const { input, cachedInput, output } = answer.usage;
    const usage = { input_tokens: input, cached_input_tokens: cachedInput, output_tokens: output };
    return [{ id: pair.id, critique: answer.critique, tone: answer.tone, model: answer.model, usage }];
  });
  const setAside = verdicts.flatMap(({ pair, kept: answer, rejections }) =>
    answer === undefined ? [{ id: pair.id, tries: rejections }] : [],
  );
  await writeFile(join(folder, critiquesName), lines(kept));
  await writeFile(join(folder, 'rejected.jsonl'), lines(setAside));
  await writeFile(join(folder, cardName), `${JSON.stringify(card(verdicts, log, provenance), null, 2)}\n`);
}

/** The dataset card. Models are counted as the answers named them. */
function card(verdicts: readonly RowVerdict[], log: SynthesisLog, provenance: Provenance): Record<string, unknown> {
  const { settings, baseUrl, promptSha256, datasetKey } = provenance;
  const kept = verdicts.flatMap(({ kept: answer }) => answer ?? []);
  return {
    schema: 1,
    dataset: datasetKey,
    teacher: {
      base_url: baseUrl,
      model_asked: settings.model,
      models_answering: tally(kept.map(({ model }) => model)),
    },
    prompt: { version: settings.prompt, sha256: promptSha256 },
    sampling: { temperature: settings.temperature, max_tokens: settings.max_tokens, detail: settings.detail },
    rows: verdicts.length,
    kept: kept.length,
    set_aside: verdicts.length - kept.length,
    kept_by_method: tally(verdicts.flatMap(({ pair, kept: answer }) => (answer === undefined ? [] : [pair.method]))),
    rejected_answers_by_reason: countReasons(verdicts),
    /** Texts can share a skeleton without being near-duplicates. That is reported, and no text is dropped for it. */
    commonest_opening: commonestOpening(kept.map(({ critique }) => critique.alignment)) ?? null,
    tone_contradicts_score: kept.filter(({ tone }) => tone === 'contradicts').length,
    requests: log.counts,
    answers_by_api: answersByApi(log),
    usd_saved_by_batch: cost(log.batched.usage, settings.prices) - log.batched.usd,
    tokens: { input: log.usage.input, cached_input: log.usage.cachedInput, output: log.usage.output },
    usd: log.spent,
    /** Requests that were sent, may have been paid, and have no outcome: in flight at a crash, or never answered. */
    uncertain_requests: log.uncertain,
  };
}

function answersByApi({ counts, batched }: SynthesisLog): { chat: number; batch: number } {
  return { chat: counts.answered + counts.unusable - batched.answers, batch: batched.answers };
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Written one at a time: thousands of critiques in one text would take some ten megabytes, twice. */
function* lines(rows: readonly unknown[]): Generator<string> {
  for (const row of rows) yield `${JSON.stringify(row)}\n`;
}
