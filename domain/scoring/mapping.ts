/** Mapping: how a table of another origin calls what we need, and on what scale its people judged. */

/** Fields of a pair that a column may hold. */
export const pairFields = [
  'id',
  'source',
  'edited',
  'instruction',
  'mos',
  'alignment',
  'fidelity',
  'quality',
  'method',
  'source_id',
] as const;
export type PairField = (typeof pairFields)[number];
/** Fields that hold people's opinions. */
export const opinionFields = ['mos', 'alignment', 'fidelity', 'quality'] as const satisfies readonly PairField[];

export interface PairMapping {
  /** The table, below the dataset's folder. Absent: `pairs.jsonl`, `pairs.csv` or `pairs.tsv`. */
  table?: string;
  /** Folder of the pictures, below the dataset's folder. Absent: that of the table. */
  images?: string;
  /** Columns by field. A name with dots reaches into nested JSON. A field that is absent has its own name. */
  columns: Partial<Record<PairField, string>>;
  /** The ends of people's scale, the lower number first. */
  scale: { from: number; to: number };
  /** Is the higher number the better picture? */
  direction: 'higher-is-better' | 'lower-is-better';
  /** Only rows in which this column has this value. */
  only?: { column: string; value: string };
}

/** Our own names and our own scale. */
export const plainMapping: PairMapping = { columns: {}, scale: { from: 1, to: 5 }, direction: 'higher-is-better' };

/** Other names by which a column is found where the mapping names none. */
const usualNames: Partial<Record<PairField, readonly string[]>> = {
  source: ['source', 'source_image'],
  edited: ['edited', 'edited_image'],
  mos: ['mos', 'mos.overall'],
  alignment: ['alignment', 'mos.alignment'],
  fidelity: ['fidelity', 'mos.fidelity'],
  quality: ['quality', 'mos.quality'],
};

/** Names under which a field is looked for, in this order. */
export function columnsOf({ columns }: PairMapping, field: PairField): readonly string[] {
  const named = columns[field];
  return named === undefined ? (usualNames[field] ?? [field]) : [named];
}

/** An opinion on people's scale → 1 to 5, 5 being the best; a sentence where it is not on that scale. */
export function onOurScale(value: number, { scale, direction }: PairMapping): number | { fault: string } {
  const { from, to } = scale;
  if (!Number.isFinite(value) || value < from || value > to) return { fault: `expected ${from} to ${to}` };
  const share = (value - from) / (to - from);
  return 1 + 4 * (direction === 'higher-is-better' ? share : 1 - share);
}
