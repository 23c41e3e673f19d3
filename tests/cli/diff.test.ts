/** `critic diff` and `critic completion`. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { diffView } from '../../cli/commands/reading/diff.ts';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import { makePlan } from '../activities/fixtures.ts';
import { type AskedStore, askedStore, leavePlan } from './asked-store.ts';
import { critic } from './fakes.ts';

let at: AskedStore;
beforeEach(async () => {
  at = await askedStore();
});

/** An evaluation of a critic that is off by `off` of each pair's MOS. */
async function evaluated(off: (pair: number) => number): Promise<string> {
  const answer = (score: number) => ({ score, accuracy: 1, format: 1, overall: 2, tokens: 50 });
  const items = Array.from({ length: 24 }, (_, pair) => {
    const mos = 1 + (pair % 12) / 3;
    const given = answer(mos + off(pair));
    return { id: `p${pair}`, source: `s${pair % 12}`, mos, models: { grpo: { greedy: given, sampled: given } } };
  });
  const estimate = { value: 0.5, interval: [0.4, 0.6] };
  const metrics = {
    schema: 1,
    split: 'test',
    pairs: 24,
    reward: { shape: 'l1', format_weight: 1, floor: 0 },
    sampled_temperature: 1,
    resampling: { unit: 'source', units: 12, resamples: 1000, seed: 1 },
    models: { grpo: { main_score: estimate, rmse: { value: 12.25, interval: null } } },
    differences: {},
    sameness: {},
    findings: [],
  };
  const from = join(at.store.root, 'partial', `evaluation-${Math.random()}`);
  await mkdir(from, { recursive: true });
  await writeFile(join(from, 'metrics.json'), JSON.stringify(metrics));
  await writeFile(join(from, 'items.jsonl'), items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  const ingredients = { off: off(1) };
  const key = artifactKey('evaluation', ingredients);
  const rest = { counts: {}, cost: {}, run: 'r', attempts: [] };
  return (await at.store.publish({ stage: 'evaluation', key, ingredients, from, ...rest })).path;
}

describe('diff', () => {
  it('has the fields, artifacts and metrics in which two runs differ, with a paired difference', async () => {
    const { recipe } = makePlan('/data');
    await leavePlan(at, 'one');
    await leavePlan(at, 'two', { recipe: { ...recipe, seed: 9, grpo: { ...recipe.grpo, steps: 77 } } });
    const same = `/store/artifacts/sft/${'a'.repeat(32)}`;
    at.knows('one', { artifacts: { sft: same, evaluation: await evaluated(() => 0) } });
    at.knows('two', { artifacts: { sft: same, evaluation: await evaluated((pair) => (pair * 7) % 5) } });
    const { out, code } = await critic(['diff', 'one', 'two'], at.server);
    expect(code).toBe(0);
    expect(out).toMatch(/^grpo\.steps +\d+ +77$/m);
    expect(out).toMatch(/^seed +\d+ +9$/m);
    expect(out).toContain('Same artifacts: sft\n');
    expect(out).toMatch(/^main_score +0\.500 \[0\.400, 0\.600\] +0\.500 \[0\.400, 0\.600\]$/m);
    expect(out).toMatch(/^MainScore 1 − 2: \+0\.\d{3} \(\+0\.\d{3} to \+[01]\.\d{3}\), on the same pairs$/m);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const json: unknown = JSON.parse((await critic(['diff', 'one', 'two', '--json'], at.server)).out);
    const value = diffView.schema.parse(json);
    expect(value.recipe.map(({ field }) => field)).toEqual(['seed', 'grpo.steps']);
    expect(value.metrics?.estimate).toBeGreaterThan(0);
  }, 60_000);

  it('says what is not measured yet, and whose plan nobody has', async () => {
    await leavePlan(at, 'one');
    await leavePlan(at, 'two');
    at.knows('one');
    at.knows('two');
    const { out } = await critic(['diff', 'one', 'two'], at.server);
    expect(out).toContain('The recipes are the same.');
    expect(out).toContain('Not both are measured yet.');
  });
});

describe('completion', () => {
  /** What it printed: the library writes to the process's own stdout. */
  const printed = async (...argv: string[]) => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    try {
      const { code } = await critic(argv);
      return { code, text: log.mock.calls.map((call) => `${call.join(' ')}\n`).join('') };
    } finally {
      log.mockRestore();
    }
  };

  it.each(['bash', 'zsh', 'fish'])('prints a script for %s that asks the command itself', async (shell) => {
    const { code, text } = await printed('completion', shell);
    expect(code).toBe(0);
    expect(text).toContain('critic complete -- ');
    if (shell === 'bash') execFileSync('bash', ['-n'], { input: text });
  });

  it('knows the verbs, those below them, and options', async () => {
    expect((await printed('complete', '--', '')).text).toMatch(/^logs\t/m);
    expect((await printed('complete', '--', 'champion', '')).text).toMatch(/^rollback\t/m);
    expect((await printed('complete', '--', 'metrics', '--')).text).toMatch(/^--csv\t/m);
  });

  it('names the shells that it knows', async () => {
    const { code, err } = await critic(['completion', 'tcsh']);
    expect(code).toBe(1);
    expect(err).toBe('critic: shell: expected one of zsh, bash, fish, powershell, got "tcsh"\n');
  });
});
