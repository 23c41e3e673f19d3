/** The entry of `npm run critic`: it makes this process a shell. Everything else is in `program.ts`. */
import { localRecord } from './commands/local.ts';
import { connect } from './connection.ts';
import { runCritic } from './program.ts';

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
