/** `critic local up | down | status | logs`: the one-machine stack. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Command } from 'commander';
import { down, status, up } from '../infra/local/stack.ts';
import { folders, port, stackConfig } from '../infra/local/stack-config.ts';

export function registerLocal(program: Command): void {
  const local = program.command('local').description('the local stack: Temporal, Slurm, teacher, worker');
  local
    .command('up')
    .description('start what does not run')
    .action(async () => {
      const config = stackConfig();
      await up(config, console.log);
      console.log(`Temporal UI: http://127.0.0.1:${port(config, 'temporalUi')}   state: ${config.state}`);
    });
  local
    .command('down')
    .description('cancel jobs and stop everything')
    .action(() => down(stackConfig(), console.log));
  local
    .command('status')
    .description('what runs, with pids and ports')
    .option('--json', 'for programs')
    .action((options: { json?: true }) => {
      const rows = status(stackConfig());
      if (options.json === true) console.log(JSON.stringify(rows, null, 2));
      else console.log(rows.map(describeRow).join('\n'));
    });
  local
    .command('logs')
    .argument('<service>')
    .option('-f, --follow', 'go on showing what is appended')
    .description('show a service’s log')
    .action((service: string, options: { follow?: true }) => {
      const known = status(stackConfig()).map((row) => row.name);
      if (!known.includes(service)) throw new Error(`service: expected one of ${known.join(', ')}, got "${service}"`);
      const log = join(folders(stackConfig()).logs, `${service}.log`);
      spawn('tail', ['-n', '50', ...(options.follow === true ? ['-f'] : []), log], { stdio: 'inherit' });
    });
}

function describeRow(row: ReturnType<typeof status>[number]): string {
  const place = row.port === undefined ? '' : `127.0.0.1:${row.port}`;
  return `${row.name.padEnd(16)}${row.state.padEnd(10)}${String(row.pid ?? '').padEnd(9)}${place.padEnd(18)}${row.since ?? ''}`;
}
