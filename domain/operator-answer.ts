/**
 * The operator's answer: what may be said to a run that waits. The CLI checks it before it is sent. The update's validator
 * checks it again, since the Temporal UI's form sends what somebody typed. Plain checks, no zod: the workflow bundle has none.
 */
import { isJobStage, isStage, type Stage, stageExpected } from './names.ts';

/** An answer to one question. `retry` may change what the next attempt gets. */
export interface OperatorAnswer {
  stage: Stage;
  /** Id of the question; without it the stage's open question is meant. */
  question?: string;
  action: 'retry' | 'skip' | 'abort';
  /** Only with `retry` of a job. Names of nodes not to use, and to use again; minutes; times the recipe's memory. */
  excludeNodes?: string[];
  allowNodes?: string[];
  timeLimitMinutes?: number;
  memoryFactor?: number;
  /** How often the recipe's micro-batch is halved; 0 = not at all. The global batch stays. */
  microBatchHalvings?: number;
  /** In place of the recipe's. */
  partition?: string;
  qos?: string;
  /** Only with `retry` of synthesis: the new cap, USD. */
  budgetUsd?: number;
  /** Only with `retry` of what is under way: it ends although nothing changes. */
  anew?: boolean;
  /** Who answered, for the history. */
  by?: string;
}

/** Which answers a question accepts. */
export interface Answerable {
  id: string;
  stage: Stage;
  canSkip: boolean;
  /** Why another memory factor cannot change the next attempt. Undefined if it can. */
  noMemoryFactor?: string;
  /** Times that the micro-batch can be halved. Undefined: not asked about a job. */
  mostHalvings?: number;
}

/** Upper bounds that no sane answer reaches: a year, a thousand nodes, a terabyte from sixteen gigabytes. */
const most = { minutes: 525_600, nodes: 1000, memoryFactor: 64, halvings: 16, usd: 1_000_000, text: 200 } as const;

const onlyForJobs = [
  'excludeNodes',
  'allowNodes',
  'timeLimitMinutes',
  'memoryFactor',
  'microBatchHalvings',
  'partition',
  'qos',
] as const;
const changes = [...onlyForJobs, 'budgetUsd'] as const;
const onlyWithRetry = [...changes, 'anew'] as const;
const fields = new Set(['stage', 'question', 'action', ...onlyWithRetry, 'by']);
const slurmName = /^[A-Za-z0-9][A-Za-z0-9._,-]{0,254}$/;
const nodeName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

/**
 * What is wrong with `answer` by itself, in one sentence that names the field; undefined if it is an answer. `nameOf` says
 * what a field is called where the answer came from: the CLI names its flags.
 */
export function answerFault(answer: unknown, nameOf = (field: string) => `answer.${field}`): string | undefined {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    return `answer: expected {"stage", "action", …}, got ${shown(answer)}`;
  }
  const given = new Map<string, unknown>(Object.entries(answer).filter(([, value]) => value !== undefined));
  const expected = (field: string, what: string) =>
    `${nameOf(field)}: expected ${what}, got ${shown(given.get(field))}`;
  const unknown = [...given.keys()].find((field) => !fields.has(field));
  if (unknown !== undefined) return `${nameOf(cut(unknown))}: unknown key`;
  const stage = given.get('stage');
  if (typeof stage !== 'string' || !isStage(stage)) return expected('stage', stageExpected);
  const action = given.get('action');
  if (action !== 'retry' && action !== 'skip' && action !== 'abort') return expected('action', 'retry, skip or abort');
  for (const field of ['question', 'by']) {
    if (given.has(field) && !isText(given.get(field))) return expected(field, `1 to ${most.text} characters`);
  }
  const early = onlyWithRetry.find((field) => given.has(field));
  if (early !== undefined && action !== 'retry') return `${nameOf(early)}: goes with retry, not with ${action}`;
  const forJobs = onlyForJobs.find((field) => given.has(field));
  if (forJobs !== undefined && !isJobStage(stage)) {
    return `${nameOf(forJobs)}: is for jobs, and stage "${stage}" is no job`;
  }
  if (given.has('budgetUsd') && stage !== 'synthesis') {
    return `${nameOf('budgetUsd')}: is for synthesis, not for stage "${stage}"`;
  }
  const anew = given.get('anew');
  if (anew !== undefined && typeof anew !== 'boolean') return expected('anew', 'true or false');
  return remedyFault(given, expected);
}

function remedyFault(
  given: ReadonlyMap<string, unknown>,
  expected: (field: string, what: string) => string,
): string | undefined {
  for (const field of ['excludeNodes', 'allowNodes']) {
    const nodes = given.get(field);
    if (nodes !== undefined && !areNodeNames(nodes)) {
      return expected(field, `at most ${most.nodes} names of nodes, each of letters, digits, ".", "_" and "-"`);
    }
  }
  for (const field of ['partition', 'qos']) {
    const name = given.get(field);
    if (name !== undefined && !(typeof name === 'string' && slurmName.test(name))) {
      return expected(field, 'a name in Slurm, of letters, digits, ".", "_" and "-"');
    }
  }
  const halvings = given.get('microBatchHalvings');
  if (
    halvings !== undefined &&
    !(halvings === 0 || (Number.isInteger(halvings) && isAmount(halvings, most.halvings)))
  ) {
    return expected('microBatchHalvings', `a whole number from 0 to ${most.halvings}`);
  }
  const minutes = given.get('timeLimitMinutes');
  if (minutes !== undefined && !(Number.isInteger(minutes) && isAmount(minutes, most.minutes))) {
    return expected('timeLimitMinutes', `a whole number from 1 to ${most.minutes}`);
  }
  const factor = given.get('memoryFactor');
  if (factor !== undefined && !isAmount(factor, most.memoryFactor)) {
    return expected('memoryFactor', `a number above 0, at most ${most.memoryFactor}`);
  }
  const usd = given.get('budgetUsd');
  if (usd === undefined) return undefined;
  return isAmount(usd, most.usd) ? undefined : expected('budgetUsd', `an amount above 0, at most ${most.usd}`);
}

/**
 * The question that `answer` answers, or one sentence that says why there is none: its shape is wrong, the question is closed, or
 * the question does not accept it. `open` are the questions without an answer.
 */
export function matchAnswer<Question extends Answerable>(
  answer: OperatorAnswer,
  open: readonly Question[],
): { question: Question } | { fault: string } {
  const fault = answerFault(answer);
  if (fault !== undefined) return { fault };
  const { stage, question: id, action } = answer;
  const question = open.find((one) => one.stage === stage && (id === undefined || one.id === id));
  if (question === undefined) return { fault: noQuestion(answer, open) };
  if (action === 'skip' && !question.canSkip) {
    return { fault: `stage "${stage}" cannot be skipped: what follows needs its artifact` };
  }
  const futile = futileChange(answer, question);
  return futile === undefined ? { question } : { fault: futile };
}

/** Does it change anything of the next attempt? */
export function changesSomething(answer: OperatorAnswer): boolean {
  return changes.some((field) => answer[field] !== undefined);
}

/** Why a change could not change the job's next attempt, in one sentence. Undefined if all can. */
export function futileChange(
  { memoryFactor, microBatchHalvings = 0 }: Pick<OperatorAnswer, 'memoryFactor' | 'microBatchHalvings'>,
  { noMemoryFactor, mostHalvings }: Pick<Answerable, 'noMemoryFactor' | 'mostHalvings'>,
): string | undefined {
  if (memoryFactor !== undefined && noMemoryFactor !== undefined) return `answer.memoryFactor: ${noMemoryFactor}`;
  if (mostHalvings === undefined || microBatchHalvings <= mostHalvings) return undefined;
  return `answer.microBatchHalvings: the micro-batch can be halved ${mostHalvings} times, got ${microBatchHalvings}`;
}

function noQuestion({ stage, question: id }: OperatorAnswer, open: readonly Answerable[]): string {
  const asked = open.length === 0 ? 'the run asks nothing' : `it asks ${open.map((one) => one.id).join(', ')}`;
  if (id === undefined) return `the run does not ask about stage "${stage}" now: ${asked}`;
  return `question "${cut(id)}" of stage "${stage}" is not open: it was answered, or never asked; ${asked}`;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= most.text;
}

function isAmount(value: unknown, limit: number): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 && value <= limit;
}

function areNodeNames(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > most.nodes) return false;
  return value.every((name) => typeof name === 'string' && nodeName.test(name));
}

function shown(value: unknown): string {
  return cut(value === undefined ? 'nothing' : typeof value === 'number' ? String(value) : JSON.stringify(value));
}

function cut(text: string): string {
  return text.length <= most.text ? text : `${text.slice(0, most.text)}…`;
}
