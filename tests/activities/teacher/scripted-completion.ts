/** What the scripted server answers about a row: critiques that pass the filter, or something worse as asked. */

export interface Completion {
  content?: string | null;
  finish?: string;
  refusal?: string;
  usage?: boolean;
}

/** A chat completion of 1,000 tokens in and 100 out. */
export function completion(instruction: string, answer: Completion) {
  const content = answer.content === undefined ? JSON.stringify(goodCritique(instruction)) : answer.content;
  return {
    id: 'x',
    object: 'chat.completion',
    created: 0,
    model: 'scripted-1',
    choices: [
      {
        index: 0,
        finish_reason: answer.finish ?? 'stop',
        message: { role: 'assistant', content, refusal: answer.refusal ?? null },
      },
    ],
    ...(answer.usage === false ? {} : { usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 } }),
  };
}

/** Passes the default filter: 80 words and more, English enough, no digits; every instruction has its own words. */
export function goodCritique(instruction: string) {
  const own = (part: string) =>
    Array.from({ length: 12 }, (_, index) => `the ${part}${letters(instruction)}word${letters(String(index))}`).join(
      ' ',
    );
  return { alignment: own('a'), fidelity: own('f'), quality: own('q'), overall: own('o') };
}

/** The row that a request is about. */
export function instructionIn(messages: unknown): string {
  return /make the circle number \d+ blue/.exec(JSON.stringify(messages))?.[0] ?? '';
}

/** Digits become letters: a critique must not hold any. */
function letters(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '').replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));
}
