/**
 * Malformed recipes, large ones made here: each is refused within a moment by one error that names the file or the field,
 * says what was expected and shows no more than a line of what was given. Nothing is started and nothing is written.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { InputFault } from '../../input/input-fault.ts';
import { readRecipe } from '../../input/recipe-file.ts';

const checkout = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'critic-recipes-'));
const file = join(folder, 'recipe.yaml');
/** A loaded machine included; each takes some milliseconds by itself. */
const maxMs = 3000;
const many = 100_000;

beforeAll(() => {
  mkdirSync(join(folder, 'data'));
  mkdirSync(join(folder, 'model'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function smoke(): Record<string, unknown> {
  const value: Record<string, unknown> = parse(readFileSync(join(checkout, 'recipes/smoke.yaml'), 'utf8'));
  return { ...value, dataset: 'data', base_model: 'model' };
}

/** The smoke recipe with one value replaced; undefined removes it. */
function changed(path: string, value: unknown): string {
  const replaced = (inner: unknown, [key = '', ...rest]: string[]): Record<string, unknown> => {
    const own: Record<string, unknown> = typeof inner === 'object' && inner !== null ? { ...inner } : {};
    return { ...own, [key]: rest.length === 0 ? value : replaced(own[key], rest) };
  };
  return stringify(replaced(smoke(), path.split('.')), { aliasDuplicateObjects: false });
}

async function refusal(path: string): Promise<string> {
  const before = readdirSync(folder);
  const started = performance.now();
  const error: unknown = await readRecipe(path).catch((thrown: unknown) => thrown);
  expect(performance.now() - started).toBeLessThan(maxMs);
  expect(readdirSync(folder)).toEqual(before);
  if (!(error instanceof InputFault)) throw new Error('expected an InputFault', { cause: error });
  const { message } = error;
  expect(message).not.toMatch(/\n\s+at |Cannot read|call stack/);
  for (const line of message.split('\n')) expect(line.length).toBeLessThan(800);
  return message;
}

it('the recipe that all others are made from is read', async () => {
  writeFileSync(file, stringify(smoke()));
  expect(await readRecipe(file)).toMatchObject({ name: 'smoke', base_model: join(folder, 'model') });
});

describe('a text that is no recipe is refused', () => {
  const bomb = [
    'a: &a [1,1,1,1,1,1,1,1,1]',
    ...Array.from('bcdefghij', (key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghij'[index]}`).join()}]`),
  ].join('\n');
  it.each<[string, string | Buffer, string]>([
    ['nothing', '', 'expected a YAML mapping of name, seed, dataset, …, got an empty file'],
    ['blanks', ' \n\n  \n', 'got an empty file'],
    ['a comment alone', '# nothing here\n', 'got an empty file'],
    ['null', 'null\n', 'recipe: expected object, got null'],
    ['a word', 'hello\n', 'recipe: expected object, got "hello"'],
    ['a number', '42\n', 'recipe: expected object, got 42'],
    ['a list', '- a\n- b\n', 'recipe: expected object, got ["a","b"]'],
    ['JSON cut off', '{"name": "x", ', 'expected YAML, got text that is not YAML'],
    ['two documents', 'name: a\n---\nname: b\n', 'expected one YAML document, got several'],
    ['a repeated key', 'name: a\nname: b\n', 'expected each key once in its mapping, got "name" again'],
    ['a tab as indentation', 'sft:\n\tepochs: 1\n', 'Tabs are not allowed as indentation at line 2'],
    ['an unclosed quote', 'name: "x\n', 'expected YAML, got text that is not YAML: Missing closing "quote'],
    ['a mapping within a line', 'a: b: c\n', 'Nested mappings are not allowed in compact mappings at line 1'],
    ['an unknown tag', 'name: !!js/function "x"\n', 'Unresolved tag'],
    ['a list as a key', '? [a, b]\n: 1\n', 'all keys must be strings at line 1'],
    ['an unknown alias', 'name: *nobody\n', 'each of an anchor before it, got Unresolved alias'],
    ['an alias bomb', bomb, 'expected YAML with at most 100 aliases, each of an anchor before it, got Excessive alias'],
    ['an alias of itself', 'name: &a [*a]\n', 'expected YAML of at most 16 levels, got more'],
    ['a bracket thirty thousand times', '['.repeat(30_000), 'expected YAML of at most 16 levels, got more'],
    ['thirty thousand dashes', '- '.repeat(30_000), 'expected YAML of at most 16 levels, got more'],
    ['braces within braces', `${'{a: '.repeat(100)}1${'}'.repeat(100)}`, 'of at most 16 levels'],
    ['seven thousand keys', Array.from({ length: 7000 }, (_, key) => `k${key}: 1`).join('\n'), 'unknown key'],
    ['Latin-1', Buffer.from('name: blåhaj\n', 'latin1'), 'expected text in UTF-8, got bytes that are not UTF-8'],
    ['UTF-16', Buffer.from('\uFEFFname: x\n', 'utf16le'), 'expected text in UTF-8, got bytes that are not UTF-8'],
    ['a PNG', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), 'expected text in UTF-8'],
    ['zeros', Buffer.alloc(1000), 'got'],
    ['fifty megabytes', Buffer.alloc(50_000_000, 'a'), 'a regular file of at most 65536 bytes, got 50000000 bytes'],
    [
      'a name of sixty thousand characters',
      `name: ${'x'.repeat(60_000)}\n`,
      'recipe.name: expected 1 to 24 of letters',
    ],
    ['a key of a thousand characters', `${'x'.repeat(1000)}: 1\n`, 'xxx…: unknown key'],
    ['a key of sixty thousand characters', `${'x'.repeat(60_000)}: 1\n`, 'at most 1024 chars'],
    ['an alias of sixty thousand characters', `name: *${'x'.repeat(60_000)}\n`, 'got Unresolved alias'],
    ['a key named __proto__', '__proto__: { polluted: 1 }\n', 'recipe.__proto__: unknown key'],
  ])('%s', async (_name, content, sentence) => {
    writeFileSync(file, content);
    const message = await refusal(file);
    expect(message).toContain(`recipe "${file}"`);
    expect(message).toContain(sentence);
  });
});

describe('a value that no run could use is refused with its field', () => {
  it.each<[string, unknown, string]>([
    ['name', '../../etc', 'expected 1 to 24 of letters, digits'],
    ['name', '', 'expected 1 to 24 of letters, digits'],
    ['name', undefined, 'expected string, got nothing'],
    ['seed', Number.NaN, 'expected number, got NaN'],
    ['seed', Infinity, 'got Infinity'],
    ['seed', -1, 'expected number to be >=0, got -1'],
    ['seed', 1.5, 'got 1.5'],
    ['seed', '1', 'expected number, got "1"'],
    ['seed', 2 ** 40, 'got 1099511627776'],
    ['dataset', 7, 'got 7'],
    ['dataset', '', 'got ""'],
    ['dataset', 'a\0b', String.raw`expected a path without NUL, got "a\u0000b"`],
    ['dataset', 'x'.repeat(5000), 'expected string to have <=4096 characters'],
    ['dataset', 'nowhere', 'expected an existing folder, got "'],
    ['dataset', 'recipe.yaml', 'expected an existing folder, got "'],
    ['dataset.form', 'csv', 'expected one of "auto"|"pairs"|"text"|"parquet", got "csv"'],
    ['base_model', 'nowhere', 'expected an existing folder, got "'],
    ['base_model', ['a'], 'got ["a"]'],
    ['prompt', 'haiku', 'got "haiku"'],
    ['synthesis', null, 'expected none, human or a mapping, got null'],
    ['synthesis.temperature', 3, 'expected number to be <=2, got 3'],
    ['synthesis.requests_per_minute', 0, 'expected number to be >0, got 0'],
    ['synthesis.budget_usd', -0.01, 'expected number to be >=0, got -0.01'],
    ['synthesis.budget_usd', Infinity, 'got Infinity'],
    ['synthesis.tokens_per_minute', 300, 'expected more than max_tokens, 300: no request could be sent, got 300'],
    [
      'synthesis.filter',
      { min_words: 120, max_words: 80 },
      'expected at most max_words, 80: no answer could be kept, got 120',
    ],
    ['synthesis.prompt', 'teacher-edited-v1', 'both see the same pictures, got "teacher-edited-v1"'],
    ['sft.epochs', 0, 'expected number to be >0, got 0'],
    ['sft.learning_rate', '2e-4x', 'got "2e-4x"'],
    ['sft.llamafactory', { weight_decai: 0.1 }, 'expected an argument that LLaMA-Factory 0.9.5 knows, got 0.1'],
    ['sft.llamafactory', { output_dir: '/x' }, 'expected no such key, which the trainer sets itself, got "/x"'],
    ['sft.llamafactory', { lora_target: ['q'] }, 'expected a text, a number, true or false, got ["q"]'],
    ['sft.llamafactory', { ['k'.repeat(many / 10)]: 1 }, 'expected an argument that LLaMA-Factory'],
    ['grpo.steps', 0, 'expected number to be >0, got 0'],
    ['grpo.steps', 1e300, 'got 1e+300'],
    ['grpo.generations', 1, 'expected number to be >=2, got 1'],
    ['grpo.reward', { shape: 'l3' }, 'got "l3"'],
    ['predict.max_new_tokens', 'many', 'expected number, got "many"'],
    ['sft.resources.partition', 'a b', 'expected names of letters, digits'],
    ['sft.resources.partition', 'a,,b', 'several with commas between, got "a,,b"'],
    ['sft.resources.account', '$(id)', 'expected letters, digits, "_", ".", "@", "+" and "-", got "$(id)"'],
    ['sft.resources.qos', 'hoch prio', 'got "hoch prio"'],
    ['sft.resources.qos', 'schnell\n', String.raw`got "schnell\n"`],
    ['sft.resources.gpu_type', 'a100:2', 'got "a100:2"'],
    ['sft.resources.exclude_nodes', ['n[1-3]'], 'got "n[1-3]"'],
    ['sft.resources.nodes', 65, 'expected number to be <=64, got 65'],
    ['sft.resources.time_limit_minutes', 60 * 24 * 15, 'got 21600'],
    ['retries', { policy: { 'node-faild': {} } }, 'policy.node-faild: unknown key'],
    ['watch', { stall_factor: 1 }, 'expected number to be >=2, got 1'],
    ['surprise', 1, 'unknown key'],
    ['gate.tolerance', 0.02, 'recipe.gate.tolerance: unknown key: recipe.gate.margin has replaced it'],
  ])('%s %j', async (path, value, sentence) => {
    writeFileSync(file, changed(path, value));
    const message = await refusal(file);
    expect(message).toContain(`recipe.${path}`);
    expect(message).toContain(sentence);
  });
});

describe('what is no file of that kind is refused at once', () => {
  beforeAll(() => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    symlinkSync('/dev/zero', join(folder, 'zero'));
    symlinkSync('loop', join(folder, 'loop'));
    symlinkSync('nobody', join(folder, 'dangling'));
  });
  const cases: [string, string, string][] = [
    ['a named pipe', 'pipe', 'expected a regular file, got a named pipe'],
    ['a folder', 'data', 'expected a regular file, got a folder'],
    ['a link to /dev/zero', 'zero', 'expected a regular file, got a device'],
    ['a link to itself', 'loop', 'expected a readable YAML file, got ELOOP'],
    ['a link to nothing', 'dangling', 'expected a readable YAML file, got no such file'],
    ['a name that nothing has', 'absent.yaml', 'expected a readable YAML file, got no such file'],
    ['a name of 300 characters', 'x'.repeat(300), 'expected a readable YAML file, got ENAMETOOLONG'],
    ['a path through a file', 'recipe.yaml/x', 'expected a readable YAML file, got ENOTDIR'],
  ];

  it.each(cases)('%s', async (_name, path, sentence) => {
    const message = await refusal(join(folder, path));
    expect(message).toContain(`recipe "${folder}`);
    expect(message).toContain(sentence);
  });

  it.each([
    ['plan a pipe', ['plan', 'pipe'], `critic: recipe "pipe": expected a regular file, got a named pipe`],
    ['run a device', ['run', 'zero'], `critic: recipe "zero": expected a regular file, got a device`],
    ['watch nothing', ['watch', ''], `expected a run's id, as "critic run" prints it, got ""`],
  ])('by the command itself, with an exit code and without a stack: %s', (_name, argv, sentence) => {
    const ended = spawnSync(process.execPath, [join(checkout, 'cli/main.ts'), ...argv], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, CRITIC_TEMPORAL_ADDRESS: '127.0.0.1:1' },
    });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain(sentence);
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    expect(ended.stdout).toBe('');
  });
});
