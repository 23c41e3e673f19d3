/** What the report tells of the teacher, from `card.json` of the synthesis artifact. Nothing if there is no such file. */
import { join } from 'node:path';
import * as z from 'zod';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { readIfPresent } from '../store/durable-file.ts';
import { parseJson } from '../../files/json.ts';
import { cardName } from '../synthesis/output.ts';
import type { Fact, ReportData } from './data.ts';

const cardSchema = z.looseObject({
  teacher: z.looseObject({ model_asked: z.string(), models_answering: z.record(z.string(), z.number()) }),
  prompt: z.looseObject({ version: z.string() }),
  rows: z.number(),
  kept: z.number(),
  answers_by_api: z.object({ batch: z.number() }).exactOptional(),
  usd_saved_by_batch: z.number().exactOptional(),
  uncertain_requests: z.array(z.object({ id: z.string(), request: z.string(), usd: z.number() })).default([]),
});

export async function readTeacher(
  synthesis: ArtifactRef | undefined,
): Promise<{ facts: Fact[]; uncertain: ReportData['uncertain'] }> {
  const text = synthesis && (await readIfPresent(join(synthesis.path, cardName)));
  const card = cardSchema.safeParse(parseJson(text ?? ''));
  if (!card.success) return { facts: [], uncertain: [] };
  const { teacher, prompt, rows, kept, uncertain_requests: uncertain } = card.data;
  const { answers_by_api: answers, usd_saved_by_batch: saved = 0 } = card.data;
  const answered = Object.keys(teacher.models_answering).join(', ');
  const sentence = `${answered || teacher.model_asked}, prompt ${prompt.version}: ${kept} of ${rows} critiques kept`;
  const facts: Fact[] = [['Teacher', sentence]];
  if (answers?.batch) facts.push(['Batch API', `${answers.batch} answers, $${saved.toFixed(2)} saved`]);
  return { facts, uncertain };
}
