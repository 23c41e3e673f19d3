/**
 * Teacher accounts: the clients with which a worker asks its teacher, and the limiters. All stages that use one API key at one address
 * share one limiter. The worker builds this once. The key's file is read when a stage begins to ask, so a stage that has all answers
 * needs no key, and the next try sees a corrected key.
 */
import { accountName, readApiKey } from './api-key.ts';
import { BatchClient } from './batch-client.ts';
import { openAiUrl, TeacherClient } from './client.ts';
import { RateLimiter } from './limiter.ts';

/** The clients of one stage, and the account's limiter. What a client learns of the server's answer formats is for its stage only. */
export interface TeacherAccount {
  client: TeacherClient;
  batchClient: BatchClient;
  limiter: RateLimiter;
}

/** What asking the teacher needs. */
export interface TeacherDeps {
  llm: TeacherAccounts;
}

export class TeacherAccounts {
  /** The address as keys of artifacts have it. */
  readonly baseUrl: string;
  readonly #keyFile: string;
  /** By account, which is API key and base URL. */
  readonly #limiters = new Map<string, RateLimiter>();

  constructor({ baseUrl, apiKeyFile }: { baseUrl: string | undefined; apiKeyFile: string }) {
    this.baseUrl = (baseUrl ?? openAiUrl).replace(/\/+$/, '');
    this.#keyFile = apiKeyFile;
  }

  /** The account of the key that the file holds now. Throws `ConfigInvalid` if there is none. */
  async open(): Promise<TeacherAccount> {
    const key = await readApiKey(this.#keyFile);
    const account = accountName(this.baseUrl, key);
    const limiter = this.#limiters.get(account) ?? new RateLimiter();
    this.#limiters.set(account, limiter);
    return { client: new TeacherClient(this.baseUrl, key), batchClient: new BatchClient(this.baseUrl, key), limiter };
  }
}
