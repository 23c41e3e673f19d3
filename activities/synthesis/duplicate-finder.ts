/**
 * Duplicate finder: finds near-duplicates among thousands of critiques without holding up the process. The signature of a 350-word
 * text takes some 3 ms. 3,000 in one go took 8.5 s here, and in that time no activity of the worker could send a heartbeat. So
 * signatures are remembered and made in slices. The domain has the rule. Of two texts the later one is the duplicate.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { signature, SignatureIndex } from '../../domain/critique/repetition.ts';

const sliceMs = 20;

export class DuplicateFinder {
  readonly #signatures = new Map<string, number[]>();

  /** Names of texts that nearly repeat an earlier one. A name always means the same text. */
  async find(texts: readonly { name: string; text: string }[], threshold: number): Promise<string[]> {
    const index = new SignatureIndex(threshold);
    const duplicates: string[] = [];
    let sliceEnd = performance.now() + sliceMs;
    for (const { name, text } of texts) {
      if (!index.add(this.#signature(name, text))) duplicates.push(name);
      if (performance.now() > sliceEnd) {
        await nextTurn();
        sliceEnd = performance.now() + sliceMs;
      }
    }
    return duplicates;
  }

  #signature(name: string, text: string): number[] {
    const known = this.#signatures.get(name) ?? signature(text);
    this.#signatures.set(name, known);
    return known;
  }
}
