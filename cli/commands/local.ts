/** `critic local up | down | status | logs`: the one-machine stack. This file and `demo.ts` alone know of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import * as z from 'zod';
import { shown } from '../../domain/errors.ts';
import { down, status, up } from '../../infra/local/stack.ts';
import { checkout, folders, localEnvironment, port, stackConfig } from '../../infra/local/stack-config.ts';
import { aPath } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { drawSample, withSampleOptions } from './demo.ts';
import { type Register, type Shell, textOf, type View, type ViewOptions } from '../shell.ts';

const services = z.array(
  z.object({
    name: z.string(),
    state: z.enum(['running', 'stopped']),
    pid: z.number().exactOptional(),
    port: z.number().exactOptional(),
    /** When it was started, ISO 8601. */
    since: z.string().exactOptional(),
  }),
);
type Services = z.output<typeof services>;

export const servicesView: View<Services> = { schema: services, lines: (rows) => rows.map(describeRow) };

/** Where the local stack keeps the addresses of its servers, for a CLI on the same machine. */
export function localRecord(env: NodeJS.ProcessEnv): string {
  return folders(stackConfig(env)).env;
}

/** Where `recipes/smoke.yaml` looks for its dataset. */
const sampleFolder = join(checkout, 'datasets/sample');

function addSample(local: Command, shell: Shell): void {
  withSampleOptions(local.command('sample'), 20, 5)
    .option('--out <folder>', 'where to', aPath, sampleFolder)
    .option('--critiques', 'give train pairs a critique by templates, of which synthesis: human learns')
    .addOption(
      new Option('--kind <name>', 'edits, or inspection, or its control: critiques of several lengths (docs/R1.md)')
        .choices(['edits', 'inspection', 'inspection-first'])
        .default('edits'),
    )
    .description('draw the sample dataset that recipes/smoke.yaml names')
    .action((options: Parameters<typeof drawSample>[3] & { out: string }) => {
      const config = stackConfig(shell.env);
      const python = localEnvironment(config)['CRITIC_PYTHON'] ?? '';
      if (!existsSync(python)) {
        throw new CliError(`the stack's Python "${python}" is not there; "npm start" installs it`);
      }
      drawSample(shell, config, resolve(options.out), options);
    });
}

export const registerLocal: Register = (program, shell) => {
  const say = (line: string) => shell.stdout.write(`${line}\n`);
  const config = () => stackConfig(shell.env);
  const local = program.command('local').description('the local stack: Temporal, Slurm, teacher, worker');
  local
    .command('up')
    .description('start what does not run')
    .action(async () => {
      await up(config(), say);
      const { sharedTemporal, state } = config();
      const server =
        sharedTemporal === undefined
          ? `Temporal UI: http://127.0.0.1:${port(config(), 'temporalUi')}`
          : `Temporal: ${sharedTemporal}, of another stack`;
      say(`${server}   state: ${state}`);
    });
  local
    .command('down')
    .description('cancel jobs and stop everything')
    .action(async () => {
      const left = await down(config(), say);
      if (left.length > 0) throw new CliError(`${left.join('\n')}; look for processes of user "critic"`);
    });
  local
    .command('status')
    .description('what runs, with pids and ports')
    .option('--json', 'print it as JSON')
    .action((options: ViewOptions) => {
      say(textOf(servicesView, status(config()), options));
    });
  addSample(local, shell);
  local
    .command('logs')
    .argument('<service>', 'a name that "critic local status" lists')
    .option('-f, --follow', 'go on showing what is appended')
    .description('show the last 50 lines of a service’s log')
    .action(async (service: string, options: { follow?: true }) => {
      const tail = spawn('tail', ['-n', '50', ...(options.follow === true ? ['-f'] : []), logOf(shell.env, service)], {
        stdio: 'inherit',
      });
      const [code]: unknown[] = await once(tail, 'exit');
      if (code !== 0) shell.exitWith(1);
    });
};

/** The log of a service. Throws a CliError for a service that there is not, or that has written none yet. */
export function logOf(env: NodeJS.ProcessEnv, service: string): string {
  const config = stackConfig(env);
  const known = status(config).map((row) => row.name);
  if (!known.includes(service)) {
    throw new CliError(`service: expected one of ${known.join(', ')}, got ${shown(service)}`);
  }
  const log = join(folders(config).logs, `${service}.log`);
  if (existsSync(log)) return log;
  throw new CliError(`${service} has no log yet: "${log}" is not there; "critic local up" starts it`);
}

function describeRow(row: Services[number]): string {
  const place = row.port === undefined ? '' : `127.0.0.1:${row.port}`;
  return `${row.name.padEnd(16)}${row.state.padEnd(10)}${String(row.pid ?? '').padEnd(9)}${place.padEnd(18)}${row.since ?? ''}`;
}
