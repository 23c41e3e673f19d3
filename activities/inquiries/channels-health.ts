/** Channels as the worker has them: is there one, can its secret be read, and does anything wait or was given up. Nothing is sent. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HealthCheck } from '../../domain/health-check.ts';
import type { ChannelSettings, ChannelsFile } from '../../input/channels-file.ts';
import { Outbox } from '../notify/outbox.ts';
import { readSecret } from '../teacher/api-key.ts';

type Found = Omit<HealthCheck, 'what'>;

export async function checkChannels(root: string, file: ChannelsFile | undefined): Promise<Found[]> {
  const names = Object.keys(file?.channels ?? {});
  if (file === undefined || names.length === 0) {
    const sentence =
      'nobody is told: CRITIC_CHANNELS_FILE names no channel, so notices are kept and go nowhere ("critic notices ls")';
    return [{ state: 'note', sentence }];
  }
  const none = file.default.length === 0 ? '; none is default, so only nights that name one tell anybody' : '';
  const faults: Found[] = [];
  for (const [name, settings] of Object.entries(file.channels)) {
    try {
      await tryChannel(settings);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      faults.push({ state: 'problem', sentence: `${name}: ${why}` });
    }
  }
  const sentence = `${names.map((name) => (file.default.includes(name) ? `${name} (default)` : name)).join(', ')}${none}; "critic notices test NAME" tries one`;
  return [{ state: none === '' ? 'good' : 'note', sentence }, ...faults, ...(await checkOutbox(root, file))];
}

/** Reads its secret, or asks whether its file may be written. */
async function tryChannel({ slack, webhook, smtp, file }: ChannelSettings): Promise<void> {
  if (slack !== undefined) await readSecret(slack.url_file, 'webhook URL file');
  if (webhook !== undefined) await readSecret(webhook.secret_file, 'secret file');
  if (smtp?.password_file !== undefined) await readSecret(smtp.password_file, 'password file');
  if (file === undefined) return;
  const isThere = await access(file.path).then(
    () => true,
    () => false,
  );
  await access(isThere ? file.path : dirname(file.path), constants.W_OK);
}

/** Counts what is not delivered, by how far it is. */
async function checkOutbox(root: string, file: ChannelsFile): Promise<Found[]> {
  const outbox = new Outbox(root);
  let [waiting, givenUp] = [0, 0];
  for (const id of await outbox.ids()) {
    const deliveries = await outbox.deliveries(id);
    const states = Object.entries(deliveries)
      .filter(([channel]) => Object.hasOwn(file.channels, channel))
      .map(([, { state }]) => state);
    if (states.includes('given-up')) givenUp += 1;
    else if (states.includes('pending')) waiting += 1;
  }
  if (waiting + givenUp === 0) return [];
  const sentence = `${waiting} notices wait for their next try, ${givenUp} were given up: "critic notices ls --open"`;
  return [{ state: givenUp > 0 ? 'problem' : 'note', sentence }];
}
