/**
 * Score: reading a critic's answer. The rules are the published reward's (Coobiw/IE-Critic-R1 @357c239,
 * examples/score_function/ie_critic_r1.py), so that what is rewarded is what is evaluated.
 */

export const scoreRange = { min: 1, max: 5 } as const;

export type UnreadableReason = 'no-number' | 'not-finite' | 'out-of-range';

export type Answer =
  | { kind: 'scored'; score: number; think: string }
  | { kind: 'unreadable'; reason: UnreadableReason };

/**
 * The score of an answer: the first `<answer>…</answer>` on one line, else the whole text, read as one number in [1, 5].
 * `think` is what stands before the first `</think>`, without blanks around and without the opening tag, which may have been
 * a prefill; '' if there is none. Only a line feed ends a line, as in Python's `re`.
 */
export function parseAnswer(text: string): Answer {
  const inside = /<answer>([^\n]*?)<\/answer>/.exec(text)?.[1] ?? text;
  const score = readNumber(inside);
  if (score === undefined) return { kind: 'unreadable', reason: 'no-number' };
  if (!Number.isFinite(score)) return { kind: 'unreadable', reason: 'not-finite' };
  if (score < scoreRange.min || score > scoreRange.max) return { kind: 'unreadable', reason: 'out-of-range' };
  return { kind: 'scored', score, think: /^(?:.*?<think>)?(.*?)<\/think>/s.exec(text)?.[1]?.trim() ?? '' };
}

/** The published format reward's question. Is the whole text `<think>…</think>`, blanks, `<answer>…</answer>`? */
export function hasFormat(text: string): boolean {
  return /^<think>.*?<\/think>\s*<answer>.*?<\/answer>$/s.test(text);
}

/** What Python's float() reads, as far as a model writes it: decimal numbers, exponent, inf, nan; blanks around. */
function readNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^[+-]?(inf|infinity|nan)$/i.test(trimmed)) return Number.NaN;
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined;
}
