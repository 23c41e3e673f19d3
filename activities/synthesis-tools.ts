/**
 * Synthesis tools: client, money and limiter of one stage. The limiters are the process's: all runs that use one API key
 * at one address share one.
 */
import type { SynthesisSettings } from '../domain/recipe.ts';
import { accountName, readApiKey } from './api-key.ts';
import { LimiterRegistry, type RateLimiter } from './limiter.ts';
import { TeacherClient } from './teacher-client.ts';
import { Till } from './till.ts';

const limiters = new LimiterRegistry();

export interface Tools {
  till: Till;
  client: TeacherClient;
  limiter: RateLimiter;
}

/** What asking needs, made when the first row must be asked: a stage whose answers are all there needs no key. */
export class AskingTools {
  readonly #keyFile: string;
  readonly #baseUrl: string;
  readonly #settings: SynthesisSettings;
  #tools: Tools | undefined;
  #leave: () => void = () => undefined;

  constructor(keyFile: string, baseUrl: string, settings: SynthesisSettings) {
    this.#keyFile = keyFile;
    this.#baseUrl = baseUrl;
    this.#settings = settings;
  }

  async open(spent: number): Promise<Tools> {
    if (this.#tools !== undefined) return this.#tools;
    const key = await readApiKey(this.#keyFile);
    const limiter = limiters.limiter(accountName(this.#baseUrl, key));
    const {
      requests_per_minute: requestsPerMinute,
      tokens_per_minute: tokensPerMinute,
      budget_usd: cap,
    } = this.#settings;
    this.#leave = limiter.claim({ requestsPerMinute, tokensPerMinute });
    this.#tools = { till: new Till(cap, spent), client: new TeacherClient(this.#baseUrl, key), limiter };
    return this.#tools;
  }

  close(): void {
    this.#leave();
  }
}
