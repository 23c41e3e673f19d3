/**
 * Mix card: the dataset card beside the SFT records, as Markdown. It says where they come from, how many there are by split and method, what was
 * kept and dropped and why, and what they cost. Pure. The synthesis' own `card.json` is checked first.
 */
import * as z from 'zod';
import type { Pair } from '../../domain/manifest.ts';
import { critiquesFrom, mixShares, sftNeeded } from '../../domain/recipe/arms.ts';
import type { Recipe } from '../../domain/recipe.ts';

const counts = z.record(z.string(), z.number());

/** What a mix card tells of `card.json` of a synthesis artifact. */
export const synthesisCardSchema = z.object({
  teacher: z.object({ base_url: z.string(), model_asked: z.string(), models_answering: counts }),
  prompt: z.object({ version: z.string(), sha256: z.string() }),
  sampling: z.object({ temperature: z.number(), max_tokens: z.number(), detail: z.string() }),
  rows: z.number(),
  kept: z.number(),
  kept_by_method: counts,
  rejected_answers_by_reason: counts,
  /** Absent from older cards, from before it was counted. */
  commonest_opening: z.object({ words: z.string(), count: z.number(), share: z.number() }).nullish(),
  tone_contradicts_score: z.number(),
  tokens: z.object({ input: z.number(), cached_input: z.number(), output: z.number() }),
  usd: z.number(),
});

export type SynthesisCard = z.output<typeof synthesisCardSchema>;

export interface MixCard {
  recipe: Recipe;
  pairs: readonly Pair[];
  /** What a teacher wrote, and the artifact's key. Undefined: no teacher was asked. */
  taught: { card: SynthesisCard; key: string } | undefined;
  /** Counts of the records: `reasoning`, `direct`, `records`, `longest_tokens`, `p95_tokens`, `mean_tokens`. */
  counts: Readonly<Record<string, number>>;
  /** Key of the dataset. */
  dataset: string;
}

export function renderMixCard({ recipe, pairs, taught, counts: records, dataset }: MixCard): string {
  const { cot, direct } = mixShares(recipe);
  const from = taught === undefined ? `dataset ${dataset}` : `dataset ${dataset}, critiques ${taught.key}`;
  return [
    '# SFT records of an image-edit critic',
    '',
    ...table(
      ['', ''],
      [
        [
          'Records',
          `${number(records['records'])}: ${number(records['reasoning'])} reasoning, ${number(records['direct'])} direct`,
        ],
        [
          'Order',
          `shuffled with seed ${recipe.seed}, ${cot} records with reasoning and ${direct} direct for each pair that may have them`,
        ],
        [
          'Length',
          `estimated ${number(records['mean_tokens'])} tokens on average, 95 % within ${number(records['p95_tokens'])}, longest ${number(records['longest_tokens'])}; cut off at ${number(sftNeeded(recipe).cutoff_len)}`,
        ],
        ['Critic prompt', recipe.prompt],
        ...(taught === undefined ? [] : teacherRows(taught.card)),
        ['Made from', from],
      ],
    ),
    '',
    '## Pairs by editing method',
    '',
    ...table(
      ['method', 'train', 'dev', 'test', 'critiqued'],
      methodRows(pairs, critiquedByMethod(recipe, pairs, taught)),
    ),
    '',
    `${whichPairs(recipe)} Scores are mean opinion scores from 1 to 5, attached by us.`,
    '',
  ].join('\n');
}

function whichPairs(recipe: Recipe): string {
  switch (critiquesFrom(recipe)) {
    case 'teacher':
      return 'Only `train` pairs whose critique was kept are in the records. The critiques are the teacher’s words.';
    case 'people':
      return 'All `train` pairs may be in the records, with reasoning those that a person wrote of. The critiques are the dataset’s own.';
    case 'nobody':
      return 'All `train` pairs may be in the records, with the bare score alone.';
  }
}

function critiquedByMethod(recipe: Recipe, pairs: readonly Pair[], taught: MixCard['taught']): Record<string, number> {
  if (taught !== undefined) return taught.card.kept_by_method;
  if (critiquesFrom(recipe) !== 'people') return {};
  const critiqued = pairs.filter(({ split, critique }) => split === 'train' && critique !== undefined);
  return Object.fromEntries(
    [...Map.groupBy(critiqued, ({ method }) => method)].map(([method, of]) => [method, of.length]),
  );
}

function teacherRows(synthesis: SynthesisCard): string[][] {
  const { teacher, prompt, sampling, tokens } = synthesis;
  const yielded = synthesis.rows === 0 ? 0 : (100 * synthesis.kept) / synthesis.rows;
  return [
    [
      'Teacher',
      `${teacher.model_asked} at ${teacher.base_url}; answers named themselves ${listed(teacher.models_answering)}`,
    ],
    ['Teacher prompt', `${prompt.version}, sha256 ${prompt.sha256}`],
    [
      'Sampling',
      `temperature ${sampling.temperature}, at most ${number(sampling.max_tokens)} tokens, image detail ${sampling.detail}`,
    ],
    ['Yield', `${number(synthesis.kept)} of ${number(synthesis.rows)} pairs (${yielded.toFixed(1)} %)`],
    ['Rejected answers', listed(synthesis.rejected_answers_by_reason)],
    ['Commonest opening', opening(synthesis)],
    [
      'Tone against score',
      `${number(synthesis.tone_contradicts_score)} kept critiques praise a low score or blame a high one`,
    ],
    [
      'Paid',
      `$${synthesis.usd.toFixed(2)}: ${number(tokens.input)} tokens in (${number(tokens.cached_input)} cached), ${number(tokens.output)} out`,
    ],
  ];
}

/** How many critiques begin in the same way. A high share means a template. */
function opening({ commonest_opening: found }: SynthesisCard): string {
  if (found === null || found === undefined) return 'unknown';
  return `“${found.words} …”: ${number(found.count)} kept critiques (${(100 * found.share).toFixed(1)} %)`;
}

function methodRows(pairs: readonly Pair[], kept: Readonly<Record<string, number>>): string[][] {
  const methods = [...new Set(pairs.map(({ method }) => method))].toSorted();
  const splits = ['train', 'dev', 'test'] as const;
  const rows = methods.map((method) => [
    method,
    ...splits.map((split) => number(pairs.filter((pair) => pair.method === method && pair.split === split).length)),
    number(kept[method]),
  ]);
  const all = splits.map((split) => number(pairs.filter((pair) => pair.split === split).length));
  return [...rows, ['all', ...all, number(Object.values(kept).reduce((sum, count) => sum + count, 0))]];
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(header), `| ${header.map(() => '---').join(' | ')} |`, ...rows.map(line)];
}

/** Escapes a name from a dataset or a model: it must not end the cell or become markup. */
function cell(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ').replaceAll(/[\\|<>`*_[\]]/g, (character) => `\\${character}`);
}

function listed(values: Readonly<Record<string, number>>): string {
  const entries = Object.entries(values);
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${name} ${number(count)}`).join(', ');
}

function number(value = 0): string {
  return value.toLocaleString('en-US');
}
