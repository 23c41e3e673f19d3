/**
 * Judges published critiques by our filter: `npm run bench:filter -- FILE`, a JSONL file of SFT records whose answers are
 * `<think>…</think><answer>X.XX</answer>`. Prints what is kept, each one that is dropped with its reason, and the near-duplicates.
 *
 * Published critiques are free text in paragraphs: the first three stand for alignment, fidelity and quality, the rest for
 * the overall part; where there are fewer, the last one stands for the missing parts too. Paragraphs before one that opens by
 * naming alignment are an introduction to it.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { judgeCritique, namedFirst } from '../../domain/critique/critique-filter.ts';
import type { Critique } from '../../domain/critique/prompt.ts';
import { commonestOpening, nearDuplicates } from '../../domain/critique/repetition.ts';
import { parseAnswer } from '../../domain/critique/score.ts';

const recordSchema = z.object({ messages: z.array(z.object({ role: z.string(), content: z.string() })) });
/** The recipe's defaults. */
const limits = { minWords: 80, maxWords: 600 };
const nearDuplicate = 0.9;

const [file] = parseArgs({ allowPositionals: true }).positionals;
if (file === undefined) {
  console.error('bench:filter: expected a JSONL file of SFT records, got nothing');
  process.exit(1);
}
const texts = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line, index) => readRecord(line, index + 1));
let kept = 0;
let contradicting = 0;
for (const { id, text, score } of texts) {
  const verdict = judgeCritique(parts(text), score, limits);
  if (verdict.accepted) {
    kept += 1;
    if (verdict.tone === 'contradicts') contradicting += 1;
  } else console.log(`line ${id}: ${verdict.reason}: …${excerpt(text, verdict.reason)}…`);
}
const duplicates = nearDuplicates(texts, nearDuplicate);
const opening = commonestOpening(texts.map(({ text }) => text));
if (opening) console.log(`commonest opening: "${opening.words} …", ${opening.count} of ${texts.length}`);
console.log(
  `${texts.length} critiques: ${kept} kept, ${texts.length - kept} dropped; near-duplicates at ${nearDuplicate}: ` +
    `${duplicates.length}; tone against score, reported and kept: ${contradicting}`,
);

function readRecord(line: string, number: number): { id: string; text: string; score: number } {
  const answer = recordSchema.parse(JSON.parse(line)).messages.findLast(({ role }) => role === 'assistant');
  const read = parseAnswer(answer?.content ?? '');
  if (read.kind !== 'scored') throw new Error(`line ${number}: expected <think>…</think><answer>…</answer>`);
  return { id: String(number), text: read.think, score: read.score };
}

function parts(text: string): Critique {
  const all = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '');
  const introduced = Math.max(
    0,
    all.findIndex((paragraph) => namedFirst(paragraph) === 'alignment'),
  );
  const paragraphs = [all.slice(0, introduced + 1).join(' '), ...all.slice(introduced + 1)];
  const part = (index: number) => paragraphs[Math.min(index, paragraphs.length - 1)] ?? '';
  const overall = paragraphs.length > 4 ? paragraphs.slice(3).join(' ') : part(3);
  return { alignment: part(0), fidelity: part(1), quality: part(2), overall };
}

/** Words around what the filter most likely saw, for a person to judge. */
function excerpt(text: string, reason: string): string {
  const at = reason === 'quotes-score' ? text.search(/\d|\b(scores?|ratings?)\b/) : 0;
  return text.slice(Math.max(0, at - 60), at + 100).replaceAll(/\s+/g, ' ');
}
