/** One worker's part that tells people, as a process of its own that a test can kill. Argument: `{store, channels}` as JSON. */
import type { ChannelsFile } from '../../../input/channels-file.ts';
import { keepTelling } from '../../../workers/notices.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test has written it
const { store, channels } = JSON.parse(process.argv[2] ?? '') as { store: string; channels: ChannelsFile };
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await keepTelling(
  { store, channels, log: { warn: (message, details) => console.error(message, details) } },
  () => [],
  stop.signal,
);
