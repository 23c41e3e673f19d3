/**
 * The shell: what a command gets from the process in which it runs. Commands use no global stream or exit code, so tests run them with their own
 * streams and client.
 */
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type * as z from 'zod';
import { chooseCluster } from './cluster.ts';
import { type CliConfig, cliConfig } from './config.ts';
import { columnsOf } from './views/table.ts';
import type { TerminalStream } from './views/terminal.ts';
import { tellOfWaiting } from './workers.ts';

export interface Shell {
  env: NodeJS.ProcessEnv;
  /** What `--cluster` says. */
  cluster?: string;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: TerminalStream & NodeJS.WritableStream;
  stderr: TerminalStream & NodeJS.WritableStream;
  /** Where a local stack on this machine writes the addresses of its servers. */
  localRecord: () => string;
  connect: (config: CliConfig) => Promise<Client>;
  /** Sets the exit code with which the process will end. */
  exitWith: (code: number) => void;
}

/** Adds one verb to the program. Each file of `commands/` exports one such function. */
export type Register = (program: Command, shell: Shell) => void;

/** The two views of a value: JSON by its schema for programs, lines for people. */
export interface View<Value> {
  schema: z.ZodType<Value>;
  /** `columns`: how wide lines may be; Infinity on a pipe, 80 if it is not said. Only tables and boards ask it. */
  lines: (value: Value, columns?: number) => readonly string[];
}

/** The options that every verb with a value has. */
export interface ViewOptions {
  json?: true;
}

/**
 * A value as text without a line break at the end. `stream`: where it is printed, whose width counts. Throws a ZodError for a value that does not fit
 * the view's schema.
 */
export function textOf<Value>(
  { schema, lines }: View<Value>,
  value: Value,
  { json }: ViewOptions,
  stream?: TerminalStream,
): string {
  if (json === true) return JSON.stringify(schema.parse(value), null, 2);
  return lines(value, stream === undefined ? undefined : columnsOf(stream)).join('\n');
}

/** Runs `work` on a connected client and closes the connection afterwards. */
export async function withClient<T>(shell: Shell, work: (client: Client, config: CliConfig) => Promise<T>): Promise<T> {
  const config = await cliConfig(shell.env, shell.localRecord);
  const client = await shell.connect(config);
  chooseCluster(client, { cluster: shell.cluster ?? config.cluster, isSaid: shell.cluster !== undefined });
  tellOfWaiting(client, (sentence) => shell.stderr.write(`${sentence}\n`));
  try {
    return await work(client, config);
  } finally {
    await client.connection.close();
  }
}

/** Says it on stderr. */
export function warningOn({ stderr }: Shell): (sentence: string) => void {
  return (sentence) => void stderr.write(`${sentence}\n`);
}
