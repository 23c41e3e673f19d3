/**
 * What a scoring leaves: `scores.jsonl` (everything), `scores.csv` (for spreadsheets), `report.html` (with pictures), `made-from.json` (keys), and of an evaluation `evaluation.json`, in
 * `scores/<id>/` or `evaluations/<id>/`. Each is replaced atomically, and the page comes last: after a kill -9 they are written again with the same content.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cut } from '../../domain/errors.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { paths } from '../../domain/names.ts';
import type { RunPlan } from '../../domain/plan.ts';
import { scoreOf } from '../../domain/scoring/scores.ts';
import { type ScoringOrder, type ScoringResult } from '../../domain/scoring/scoring.ts';
import { heartbeating } from '../heartbeating.ts';
import type { ArtifactStore } from '../store/artifact-store.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import { measureAgreement } from './agreement.ts';
import { readAnswers } from './answers.ts';
import { csvOf, type ScoredPair, summaryOf } from './forms.ts';
import { renderScores } from './page.ts';
import { readKeptPairs } from './pairs-artifact.ts';
import { thumbnails } from './thumbnails.ts';

/** It travels in the result. */
const maxSummary = 8000;

export interface WriteScoresInput {
  order: ScoringOrder;
  plan: RunPlan;
  words: string;
  pairs: ArtifactRef;
  predictions: ArtifactRef;
}

export async function writeScores(store: ArtifactStore, input: WriteScoresInput): Promise<ScoringResult> {
  const { order, plan, words, pairs, predictions } = input;
  const rows = await scoredPairs(pairs, predictions);
  const agreement = order.purpose === 'evaluate' ? await measureAgreement(rows, plan.recipe) : null;
  const folder = (order.purpose === 'evaluate' ? paths.evaluations : paths.scores)(store.root, order.id);
  const scored = rows.filter(({ score }) => score !== null).length;
  const refused = rows.filter(({ pair }) => pair.fault !== undefined).length;
  const files = ['report.html', 'scores.jsonl', 'scores.csv'].map((name) => join(folder, name));
  const [html = '', jsonl = '', csv = ''] = files;
  const summary = summaryOf(rows, agreement);
  const result: ScoringResult = {
    id: order.id,
    purpose: order.purpose,
    pairs: rows.length,
    refused,
    scored,
    unreadable: rows.length - refused - scored,
    critic: words,
    metrics: agreement?.models.grpo ?? null,
    files: { html, jsonl, csv },
    summary: cut(summary, maxSummary),
  };
  return heartbeating('writing', async () => {
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await writeFileAtomic(jsonl, rows.map((row) => `${JSON.stringify(lineOf(row))}\n`).join(''));
    await writeFileAtomic(csv, csvOf(rows));
    // A pin of either keeps the scores (activities/keeping/scorings.ts).
    const madeFrom = { schema: 1, pairs: pairs.key, predictions: predictions.key };
    await writeFileAtomic(join(folder, 'made-from.json'), `${JSON.stringify(madeFrom)}\n`);
    if (agreement !== null)
      await writeFileAtomic(join(folder, 'evaluation.json'), `${JSON.stringify(agreement, null, 2)}\n`);
    await writeFileAtomic(html, renderScores({ result, rows, agreement, pictures: await thumbnails(pairs, rows) }));
    return result;
  });
}

async function scoredPairs(pairs: ArtifactRef, predictions: ArtifactRef): Promise<ScoredPair[]> {
  const kept = await readKeptPairs(pairs);
  const answers = await readAnswers(predictions, kept);
  return kept.map((pair): ScoredPair => {
    const answer = answers.get(pair.n);
    if (answer === undefined)
      return { pair, answer: null, tokens: null, score: null, samples: [], mean: null, sd: null, critique: '' };
    const { greedy, sampled, samples = [sampled] } = answer;
    const scores = scoreOf(
      greedy.text,
      samples.map(({ text }) => text),
    );
    return { pair, answer: greedy.text, tokens: greedy.tokens, sampled, ...scores };
  });
}

/** A line of `scores.jsonl`. */
function lineOf({ pair, answer, score, samples, mean, sd, critique, tokens }: ScoredPair): object {
  const { id, where, source, edited, instruction, opinions, method, fault } = pair;
  return {
    id,
    where,
    source,
    edited,
    instruction,
    method,
    score,
    mean,
    sd,
    samples,
    opinions: Object.keys(opinions).length === 0 ? undefined : opinions,
    critique,
    answer,
    tokens,
    fault: fault ?? (score === null ? 'its answer gives no score' : undefined),
  };
}
