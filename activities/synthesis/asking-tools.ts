/** Asking tools: the account, the money and the share of memory with which one stage asks. */
import pLimit, { type LimitFunction } from 'p-limit';
import type { SynthesisSettings } from '../../domain/recipe.ts';
import type { TeacherAccount, TeacherAccounts } from '../teacher/accounts.ts';
import { SpendingCap } from './spending-cap.ts';

/** Requests of one stage whose pictures may be in memory. A picture is let go when it is sent, within a second or so. */
const sendingAtOnce = 16;

export interface Tools extends TeacherAccount {
  spending: SpendingCap;
  sending: LimitFunction;
}

/** What asking needs. It is made when the first row must be asked, so a stage that has all answers needs no key. */
export class AskingTools {
  readonly #accounts: TeacherAccounts;
  readonly #settings: SynthesisSettings;
  #lasting: Omit<Tools, 'spending'> | undefined;
  #leave: () => void = () => undefined;

  constructor(accounts: TeacherAccounts, settings: SynthesisSettings) {
    this.#accounts = accounts;
    this.#settings = settings;
  }

  /** `spent`: what the log says, while nothing is in flight: USD may have been spent since the last round. */
  async open(spent: number): Promise<Tools> {
    this.#lasting ??= await this.#make();
    return { ...this.#lasting, spending: new SpendingCap(this.#settings.budget_usd, spent) };
  }

  async #make(): Promise<Omit<Tools, 'spending'>> {
    const account = await this.#accounts.open();
    const { requests_per_minute: requestsPerMinute, tokens_per_minute: tokensPerMinute } = this.#settings;
    this.#leave = account.limiter.claim({ requestsPerMinute, tokensPerMinute });
    return { ...account, sending: pLimit(sendingAtOnce) };
  }

  close(): void {
    this.#leave();
  }
}
