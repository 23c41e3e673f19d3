/**
 * The entry of `npm run critic`: it makes this process a shell. Everything else is in `program.ts`. Node keeps what it has compiled of our files, by their content:
 * a third of the time of a short command. Where it cannot write, it does without.
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)));
// Only what is imported after that is kept.
const [{ localRecord }, { connect }, { runCritic }] = await Promise.all([
  import('./commands/local.ts'),
  import('./connection.ts'),
  import('./program.ts'),
]);

await runCritic(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  localRecord: () => localRecord(process.env),
  connect,
  exitWith: (code) => {
    process.exitCode = code;
  },
});
