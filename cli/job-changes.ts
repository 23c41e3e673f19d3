/** What an operator may change of the next attempt, as options of a verb. `answer … retry` and `retry` take the same. */
import type { Command } from 'commander';
import { answerFault, type OperatorAnswer } from '../domain/operator-answer.ts';
import { nodeNames, positiveNumber, wholeNumber } from './arguments.ts';
import { CliError } from './cli-error.ts';

export interface ChangeOptions {
  question?: string;
  exclude?: string[];
  allow?: string[];
  minutes?: number;
  memoryFactor?: number;
  halvings?: number;
  partition?: string;
  qos?: string;
  budget?: number;
  /** Of `retry` alone. */
  anew?: true;
}

/** What each field of an answer is called on the command line. */
const flags: Readonly<Record<string, string>> = {
  stage: 'stage',
  action: 'action',
  question: '--question',
  excludeNodes: '--exclude',
  allowNodes: '--allow',
  timeLimitMinutes: '--minutes',
  memoryFactor: '--memory-factor',
  microBatchHalvings: '--halvings',
  partition: '--partition',
  qos: '--qos',
  budgetUsd: '--budget',
  anew: '--anew',
};

/** What a run said of an answer, with the fields called as on the command line. */
export function byFlag(sentence: string): string {
  return sentence.replaceAll(/\banswer\.(\w+)/g, (field, name: string) => flags[name] ?? field);
}

export function withChanges(command: Command): Command {
  return command
    .option('--question <id>', 'id of the question (default: the stage’s open question)')
    .option('--exclude <nodes>', 'retry of a job: do not use these nodes (n1,n2)', nodeNames)
    .option('--allow <nodes>', 'retry of a job: use these nodes again, also those that the recipe excludes', nodeNames)
    .option('--minutes <n>', 'retry of a job: its new time limit in minutes', wholeNumber)
    .option('--memory-factor <x>', 'retry of a job: multiply the recipe’s memory by x', positiveNumber)
    .option('--halvings <n>', 'retry of a job: halve the recipe’s micro-batch n times (0: not at all)', wholeNumber)
    .option('--partition <name>', 'retry of a job: in this partition')
    .option('--qos <name>', 'retry of a job: with this QOS')
    .option('--budget <usd>', 'retry of synthesis: its new cap in USD', positiveNumber);
}

/** The options as an answer. Throws a CliError that names the flag. */
export function answerOf(who: Pick<OperatorAnswer, 'stage' | 'action' | 'by'>, options: ChangeOptions): OperatorAnswer {
  const given = {
    ...who,
    question: options.question,
    excludeNodes: options.exclude,
    allowNodes: options.allow,
    timeLimitMinutes: options.minutes,
    memoryFactor: options.memoryFactor,
    microBatchHalvings: options.halvings,
    partition: options.partition,
    qos: options.qos,
    budgetUsd: options.budget,
    anew: options.anew,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without what is undefined it is one
  const said = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as unknown as OperatorAnswer;
  const fault = answerFault(said, (field) => flags[field] ?? field);
  if (fault !== undefined) throw new CliError(fault);
  return said;
}
