/** Before a schedule is made: has the night's worker its folder, recipe, dataset and channels? Where no worker answers, nothing is checked, which is said. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import type { Night } from '../../../domain/nights/night.ts';
import { CliError } from '../../cli-error.ts';
import { inquireOn } from '../../inquire.ts';
import { NobodyAnswers } from '../../workers.ts';

const reply = z.object({ faults: z.array(z.string()) });

/** Throws a CliError with all faults of all nights. `warn` gets what could not be checked. */
export async function checkNights(
  client: Client,
  nights: readonly Night[],
  warn: (sentence: string) => void,
): Promise<void> {
  const faults: string[] = [];
  for (const night of nights) {
    try {
      const found = await inquireOn(client, night.cluster, 'night-check', { night }, reply);
      faults.push(...found.faults.map((fault) => `night "${night.name}": ${fault}`));
    } catch (error) {
      if (!(error instanceof NobodyAnswers)) throw error;
      warn(`night "${night.name}": its recipe and channels were not looked at, since ${error.message}`);
      return;
    }
  }
  if (faults.length === 0) return;
  throw new CliError([...faults, 'Nothing was changed; --unchecked makes the schedules all the same.'].join('\n'));
}
