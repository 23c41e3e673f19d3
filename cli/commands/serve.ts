/** `critic serve`: the store's pages at an address of this machine. */
import { once } from 'node:events';
import { wholeNumberFrom } from '../arguments.ts';
import { storeFolder } from '../config.ts';
import { servePages } from '../page-server.ts';
import type { Register } from '../shell.ts';

/** Also what docs/OPERATIONS.md names. */
const usualPort = 8420;

interface ServeOptions {
  store?: string;
  port: number;
  name: string[];
}

export const registerServe: Register = (program, shell) => {
  program
    .command('serve')
    .option('--store <folder>', 'the store on this machine; default CRITIC_STORE, or that of the local stack')
    .option('--port <n>', 'its port on loopback; 0: any that is free', wholeNumberFrom(0), usualPort)
    .option(
      '--name <host>',
      'a further name by which it may be asked, behind a proxy; again for more',
      (name: string, before: string[]) => [...before, name],
      [],
    )
    .description('serve reports, nights and experiments to browsers on this machine: it only reads')
    .addHelpText('after', '\nExample: critic serve --store /shared/critic --port 8420')
    .action(async ({ store, port, name }: ServeOptions) => {
      const root = store ?? (await storeFolder(shell.env, shell.localRecord));
      const server = await servePages(root, port, name);
      const stop = new AbortController();
      const asked = ['SIGINT', 'SIGTERM'].map(async (signal) => once(process, signal, { signal: stop.signal }));
      // Whoever reads the line may send a signal at once.
      shell.stdout.write(`pages of ${root}: ${server.url}/nights.html\n`);
      await Promise.race(asked);
      stop.abort();
      await Promise.allSettled(asked);
      await server.close();
    });
};
