/**
 * `critic completion SHELL`: a script that makes a shell complete verbs, options, and the names of runs, nights, champions and artifacts. @bomb.sh/tab writes
 * it, and answers what the script asks (`critic complete -- …`, hidden). Both go to the process's own stdout.
 */
import tab from '@bomb.sh/tab/commander';
import { sourceOf, type Suggestion, suggestionsOf } from '../completion-values.ts';
import type { Register } from '../shell.ts';

/** The last verb to be registered: the verbs that stand by then are completed. */
export const registerCompletion: Register = (program, shell) => {
  const known = tab(program, { completionCommandName: 'completion' });
  const named = (name: string) => program.commands.find((command) => command.name() === name);
  named('completion')
    ?.description('print a script that makes a shell complete verbs, options and names')
    .addHelpText(
      'after',
      '\nExample: source <(npm run -s critic -- completion bash)\nIt completes the name "critic": say what that is first, e.g. critic() { npm run -s critic -- "$@"; }\nFor zsh and fish too; in PowerShell: npm run -s critic -- completion powershell | Out-String | Invoke-Expression',
    );
  // The library asks for values at once, so they are fetched before it is asked.
  named('complete')?.hook('preAction', async (_program, { args }) => {
    if (args.at(-1)?.startsWith('-') === true) return;
    const typed = args.slice(0, -1);
    const verb = [...known.commands.keys()]
      .filter((name) => name !== '' && name.split(' ').every((word, index) => word === typed[index]))
      .toSorted((a, b) => b.length - a.length)[0];
    const completed = verb === undefined ? undefined : known.commands.get(verb);
    const asked = new Map<object, Suggestion[]>();
    for (const [name, argument] of completed?.arguments ?? []) {
      const source = sourceOf(verb ?? '', name);
      if (source === undefined) continue;
      const found = asked.get(source) ?? (await suggestionsOf(shell, source));
      asked.set(source, found);
      argument.handler = (suggest) => {
        for (const [value, word] of found) suggest(value, word);
      };
    }
  });
};
