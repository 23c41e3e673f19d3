/**
 * `critic completion SHELL`: a script that makes a shell complete verbs and options. @bomb.sh/tab writes it, and answers what the script asks
 * (`critic complete -- …`, hidden). Both go to the process's own stdout.
 */
import tab from '@bomb.sh/tab/commander';
import type { Register } from '../shell.ts';

/** The last verb to be registered: the verbs that stand by then are completed. */
export const registerCompletion: Register = (program) => {
  tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('print a script that makes a shell complete verbs and options')
    .addHelpText(
      'after',
      '\nExample: source <(npm run -s critic -- completion bash)\nIt completes the name "critic": say what that is first, e.g. critic() { npm run -s critic -- "$@"; }',
    );
};
