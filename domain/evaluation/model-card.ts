/**
 * Model card: the README.md of a champion's folder, in the form of the Hugging Face Hub (front matter, then text). How it was made, on what, its
 * numbers with intervals, and its limits. Every number is one of its evaluation, of the gate's decision or of a manifest. Pure.
 */
import type { Part } from './breakdown.ts';
import type { Evaluation, MetricName } from './evaluation.ts';
import type { Estimate } from './resampling.ts';
import { type CriticPrompt, criticPrompt, isEditedOnly } from '../critique/prompt.ts';

export interface ModelCard {
  champion: string;
  version: number;
  run: string;
  decidedAt: string;
  /** The person who promoted it, with the reason. Absent: the gate did. */
  by?: { name: string; reason: string };
  reasons: readonly string[];
  baseModel: string;
  prompt: CriticPrompt;
  /** How each answer begins; '' for nothing. */
  prefill: string;
  maxNewTokens: number;
  evaluation: Evaluation;
  /** Rows of the dataset and of its splits. */
  counts: Readonly<Record<string, number>>;
  /** Stages of the model, first to last: what each was made with. */
  made: readonly {
    stage: string;
    key: string;
    engine: string;
    versions: string;
    params: Readonly<Record<string, unknown>>;
  }[];
  /** Keys of artifacts by what they are. */
  keys: Readonly<Record<string, string>>;
}

const shown: readonly [MetricName, string][] = [
  ['main_score', 'MainScore, (PLCC after a logistic fit + SRCC) / 2'],
  ['srcc', 'SRCC'],
  ['plcc_fit', 'PLCC after a 4-parameter logistic fit'],
  ['krcc', 'KRCC (tau-b)'],
  ['rmse', 'RMSE, score points'],
  ['readable', 'Readable answers, share'],
];

/** The whole file. */
export function modelCard(card: ModelCard): string {
  const alone = isEditedOnly(card.prompt);
  return `${[
    frontMatter(card),
    `# Critic ${code(card.champion)}, version ${card.version}`,
    `It looks at ${alone ? 'an edited image' : 'a source image, an edited image'} and the edit's instruction, reasons, and gives a score from 1 (very poor) to 5 (excellent) that is to agree with people. Made by run ${code(card.run)}, champion since ${card.decidedAt}${card.by === undefined ? ', by the gate' : `, by ${code(card.by.name)}: ${code(card.by.reason)}`}.`,
    '## Use',
    use(card, alone),
    '## Numbers',
    numbers(card.evaluation),
    '## Why it is champion',
    card.reasons.map((reason) => `- ${text(reason)}`).join('\n'),
    '## How it was made',
    making(card),
    '## Limits',
    limits(card)
      .map((limit) => `- ${limit}`)
      .join('\n'),
  ].join('\n\n')}\n`;
}

/** YAML whose values are JSON, which is YAML too: nothing in a name can break out. */
function frontMatter({ champion, baseModel, evaluation }: ModelCard): string {
  const isOfHub = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(baseModel);
  const metrics = shown.flatMap(([type, name]) => {
    const value = evaluation.models.grpo?.[type]?.value ?? null;
    return value === null ? [] : [{ type, name, value }];
  });
  const index = [
    {
      name: champion,
      results: [
        {
          task: { type: 'image-text-to-text', name: 'Scoring of edited images' },
          dataset: { type: 'private', name: 'test split' },
          metrics,
        },
      ],
    },
  ];
  return [
    '---',
    'library_name: transformers',
    'pipeline_tag: image-text-to-text',
    ...(isOfHub ? [`base_model: ${JSON.stringify(baseModel)}`] : []),
    'tags: ["image-editing", "image-quality-assessment", "critic"]',
    `model-index: ${JSON.stringify(index)}`,
    '---',
  ].join('\n');
}

function use({ prompt, prefill, maxNewTokens }: ModelCard, alone: boolean): string {
  const begins = prefill === '' ? 'nothing: it begins freely' : code(prefill);
  return [
    'This folder loads as it is: `AutoModelForImageTextToText.from_pretrained(folder)` and `AutoProcessor.from_pretrained(folder)` with transformers, `vllm serve FOLDER`, `model_name_or_path: FOLDER` with LLaMA-Factory.',
    `One user message: ${alone ? 'the edited image' : 'the source image, then the edited image'}, then this text, with the instruction in its place:`,
    fenced(criticPrompt(prompt, 'reasoning', '{instruction}')),
    `The answer is begun with ${begins}. It was measured greedily, with at most ${maxNewTokens} new tokens. The score is the number in the first \`<answer>…</answer>\`; an answer without one, or outside 1 to 5, is unreadable and is no score.`,
  ].join('\n\n');
}

function numbers(evaluation: Evaluation): string {
  const { resampling, pairs, models, breakdown } = evaluation;
  const own = models.grpo ?? {};
  const rows = shown.flatMap(([name, title]) => {
    const estimate = own[name];
    return estimate === undefined ? [] : [[title, ...cells(estimate), ...constant(models.constant?.[name])]];
  });
  const parts = breakdown?.grpo;
  const dimensions = Object.entries(parts?.dimensions ?? {}).flatMap(([name, { overall, stated }]) => [
    partRow(`${name}: the overall score`, overall),
    partRow(`${name}: what the critique says of it`, stated),
  ]);
  const methods = Object.entries(parts?.methods ?? {}).map(([name, part]) => partRow(`method ${name}`, part));
  const within = parts?.within_source;
  return [
    `Measured on the ${pairs} pairs of the test split, greedily. Intervals: 95 %, ${resampling.resamples} resamples of ${resampling.units} ${resampling.unit}s, seed ${resampling.seed}.`,
    markdownTable(['Metric', 'Value', '95 %', 'Always the mean'], rows),
    ...(dimensions.length + methods.length === 0
      ? []
      : [
          `Parts of the test split, ${parts?.resamples ?? 0} resamples each:`,
          markdownTable(['Part', 'Valid / rows', 'MainScore', '95 %', 'Bias'], [...dimensions, ...methods]),
        ]),
    ...(within === null || within === undefined
      ? []
      : [
          `Of ${within.pairs} pairs of edits of one source image that people rank, it ranks ${cells(within.agreement).join(' (')}) as people do; chance is 0.500.`,
        ]),
  ].join('\n\n');
}

function constant(estimate: Estimate | undefined): string[] {
  return [estimate === undefined ? '' : (cells(estimate)[0] ?? '')];
}

function partRow(title: string, { valid, rows, metrics, refused }: Part): string[] {
  const counts = `${valid} / ${rows}`;
  if (metrics === null) return [title, counts, `not said: ${refused ?? 'too few'}`, '', ''];
  return [title, counts, ...cells(metrics.main_score), signed(metrics.bias.value)];
}

function making({ made, counts, keys, baseModel }: ModelCard): string {
  const stages = made.map(({ stage, key, engine, versions, params }) =>
    [
      `${code(stage)} with ${engine} (${versions}), artifact ${code(key)}:`,
      fenced(JSON.stringify(params, null, 2)),
    ].join('\n\n'),
  );
  return [
    `From ${code(baseModel)}. Dataset: ${Object.entries(counts)
      .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
      .join(', ')}.`,
    ...stages,
    `Artifacts: ${Object.entries(keys)
      .map(([name, key]) => `${name} ${code(key)}`)
      .join(', ')}.`,
  ].join('\n\n');
}

function limits({ evaluation, prompt }: ModelCard): string[] {
  const readable = evaluation.models.grpo?.readable?.value ?? 0;
  const gain = evaluation.differences.grpo_minus_sft?.main_score;
  const refused = Object.entries(evaluation.breakdown?.grpo?.methods ?? {}).filter(([, part]) => part.metrics === null);
  return [
    'It was measured on a test split of the same origin as its training pairs. Of other editing methods, other kinds of pictures and other people nothing is known: measure it there first (`critic evaluate`).',
    'Its reasons are generated text. They were not rewarded for being true, only the score was compared with people.',
    `Of 100 answers ${(100 * (1 - readable)).toFixed(1)} cannot be read.`,
    ...(gain === undefined || gain.interval === null || gain.interval[0] > 0
      ? []
      : ['On this test split no gain of GRPO over SFT is shown in MainScore.']),
    ...(refused.length === 0
      ? []
      : [`Too few rows to say anything of: ${refused.map(([name]) => text(name)).join(', ')}.`]),
    ...(isEditedOnly(prompt) ? ['It does not see the source image, so it cannot know what the edit was to keep.'] : []),
    'Instructions in other languages than those of the dataset were not tried. The base model’s licence and limits are its own.',
  ];
}

/** Value and interval as a table has them. */
function cells({ value, interval }: Estimate): [string, string] {
  return [
    value === null ? 'undefined' : value.toFixed(3),
    interval === null ? 'unknown' : `${interval[0].toFixed(3)} to ${interval[1].toFixed(3)}`,
  ];
}

function signed(value: number | null): string {
  return value === null ? '' : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]) => `| ${row.map(text).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n');
}

/** Text in which nothing is Markdown, HTML or the end of a table's cell. */
function text(value: string): string {
  return value
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]|#]/g, (mark) => `\\${mark}`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;');
}

/** A span of code that no backtick inside can end. */
function code(value: string): string {
  return `\`${value.replace(/\s+/g, ' ').replaceAll('`', "'")}\``;
}

function fenced(value: string): string {
  return `\`\`\`\n${value.replaceAll('```', "'''")}\n\`\`\``;
}
