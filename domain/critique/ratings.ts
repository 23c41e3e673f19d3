/**
 * Ratings: what a critique says of each dimension, in words or numbers. The published critic is asked for the overall score alone, so a rating is
 * read only where it stands right after the dimension's name: "alignment bad", "Fidelity: 3.5/5", "text alignment is good". Pure.
 */

/** The sub-scores that people gave beside the overall score (arXiv 2511.18055, §3). */
export const dimensionNames = ['alignment', 'fidelity', 'quality'] as const;
export type Dimension = (typeof dimensionNames)[number];

/** In [1, 5]. A dimension of which nothing is said is absent. */
export type Ratings = Partial<Record<Dimension, number>>;

/** The five words of absolute category rating (ITU-R BT.500, table 3). */
const words: Readonly<Record<string, number>> = { bad: 1, poor: 2, fair: 3, good: 4, excellent: 5 };

const pattern =
  /(?<!\boverall )\b(alignment|fidelity|quality)(?: (?:score|rating)(?: of)?)?(?: (?:is|gets))?[:=]? ?(?:(bad|poor|fair|good|excellent)\b|(\d{1,3}(?:\.\d{1,6})?)(?![\d.%]*[\d%])(?! ?(?:\/|out of)(?! ?5(?:\.0+)?(?!\d|\.\d))))/g;

/** Ratings that a critique states. Of several for one dimension the last counts: critiques end with their sum. A number outside [1, 5], or of another scale (4/10), is none. */
export function statedRatings(critique: string): Ratings {
  const found: Ratings = {};
  for (const [, name, word, number] of critique.toLowerCase().replace(/\s+/g, ' ').matchAll(pattern)) {
    const dimension = dimensionNames.find((one) => one === name);
    const rating = word === undefined ? Number(number) : words[word];
    if (dimension !== undefined && rating !== undefined && rating >= 1 && rating <= 5) found[dimension] = rating;
  }
  return found;
}
