import { describe, expect, it } from 'vitest';
import { DuplicateFinder } from '../../../activities/synthesis/duplicate-finder.ts';
import { nearDuplicates } from '../../../domain/critique/repetition.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

/** Texts of random words; every tenth repeats the one before it but for one word. */
function makeTexts(count: number, words: number): { name: string; text: string }[] {
  const random = seededRandom(5);
  const texts: string[][] = [];
  for (let i = 0; i < count; i += 1) {
    const before = texts.at(-1);
    const fresh = Array.from({ length: words }, () => `w${Math.floor(random() * 2000).toString(36)}`);
    texts.push(i % 10 === 9 && before !== undefined ? [...before.slice(0, -1), 'other'] : fresh);
  }
  return texts.map((text, index) => ({ name: `p${index}/1`, text: text.join(' ') }));
}

describe('the duplicate finder', () => {
  it('finds what the domain finds', async () => {
    const texts = makeTexts(100, 60);
    const found = await new DuplicateFinder().find(texts, 0.9);
    expect(found).toEqual(
      nearDuplicates(
        texts.map(({ name, text }) => ({ id: name, text })),
        0.9,
      ),
    );
    expect(found.length).toBeGreaterThan(5);
  });

  it('lets the process do other things meanwhile', async () => {
    let turns = 0;
    let running = true;
    const count = () => {
      turns += 1;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    await new DuplicateFinder().find(makeTexts(300, 300), 0.9);
    running = false;
    // Some hundred ms of work in slices of 20 ms; in one go there would be no turn at all.
    expect(turns).toBeGreaterThan(1);
  });
});
