/** Is all there that a night needs? As the worker sees it: folder, recipe with its dataset and model, channels. It only reads, and a night looks again when it begins. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { cut } from '../../domain/errors.ts';
import type { Night } from '../../domain/nights/night.ts';
import { InputFault } from '../../input/input-fault.ts';
import type { ChannelsFile } from '../../input/channels-file.ts';
import { nightSchema } from '../../input/night-file.ts';
import { readRecipe } from '../../input/recipe-file.ts';
import type { Answerer } from './answerer.ts';

export function answerNightCheck({ channels }: { channels?: ChannelsFile }): Answerer<'night-check'> {
  return {
    input: z.strictObject({ night: nightSchema }),
    answer: async ({ night }) => ({ faults: [...(await recipeFaults(night)), ...channelFaults(night, channels)] }),
  };
}

async function recipeFaults({ source, recipe }: Night): Promise<string[]> {
  const isFolder = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return [`source: expected an existing folder, as the worker sees it, got "${cut(source)}"`];
  try {
    await readRecipe(join(source, recipe));
    return [];
  } catch (error) {
    if (error instanceof InputFault) return [error.message];
    throw error;
  }
}

function channelFaults({ tell = [] }: Night, file: ChannelsFile | undefined): string[] {
  const known = Object.keys(file?.channels ?? {});
  const expected = known.length === 0 ? 'none, since the worker has no channels' : `one of ${known.join(', ')}`;
  return tell.flatMap((name, index) =>
    known.includes(name) ? [] : [`tell.${index}: expected ${expected} (CRITIC_CHANNELS_FILE), got "${name}"`],
  );
}
