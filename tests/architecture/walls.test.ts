/** Each wall between the rooms, tried by a file that would break it: the project's own lint must refuse it, at any depth. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));
const house = mkdtempSync(join(tmpdir(), 'critic-walls-'));

/** A file of one room, what it holds, and the rule that must refuse it; no rule: it is allowed. */
type Probe = readonly [file: string, code: string, rule?: string];

const imports = 'eslint(no-restricted-imports)';
const value = (from: string) => `import { x } from '${from}';\nexport const y = x;\n`;
const failing = (from: string) =>
  `import { ApplicationFailure } from '${from}';\nexport const f = () => ApplicationFailure.retryable('x', 'Unheard');\n`;
const typeOnly = (from: string) => `import type { X } from '${from}';\nexport type Y = X;\n`;

const probes: Probe[] = [
  ['domain/a.ts', value('../activities/x.ts'), imports],
  ['domain/deep/a.ts', value('../../activities/deep/x.ts'), imports],
  ['domain/deep/b.ts', typeOnly('../../workflows/x.ts'), imports],
  ['domain/c.ts', value('../files/regular-file.ts'), imports],
  ['domain/d.ts', value('node:fs'), imports],
  ['domain/e.ts', value('@temporalio/common'), imports],
  ['domain/now.ts', 'export const now = () => Date.now();\n', 'eslint(no-restricted-properties)'],
  ['domain/random.ts', 'export const r = () => Math.random();\n', 'eslint(no-restricted-properties)'],
  ['domain/env.ts', "export const e = process.env['HOME'];\n", 'eslint(no-restricted-globals)'],
  ['domain/io.ts', "export const f = () => fetch('http://127.0.0.1');\n", 'eslint(no-restricted-globals)'],
  ['domain/timer.ts', 'export const t = () => setTimeout(() => {}, 1);\n', 'eslint(no-restricted-globals)'],
  ['domain/good.ts', value('./names.ts')],
  ['workflows/a.ts', value('../activities/x.ts'), imports],
  ['workflows/deep/a.ts', value('../../activities/jobs/x.ts'), imports],
  ['workflows/b.ts', value('zod'), imports],
  ['workflows/c.ts', value('node:path'), imports],
  ['workflows/d.ts', value('../files/regular-file.ts'), imports],
  ['workflows/e.ts', typeOnly('../cli/x.ts'), imports],
  ['workflows/fails.ts', failing('@temporalio/workflow'), imports],
  ['workflows/deep/fails.ts', failing('@temporalio/common'), imports],
  ['workflows/good.ts', typeOnly('../activities/jobs/x.ts')],
  ['activities/a.ts', value('../workflows/x.ts'), imports],
  ['activities/report/a.ts', value('../../workflows'), imports],
  ['activities/report/b.ts', value('../../workers/config.ts'), imports],
  ['activities/report/deep/c.ts', value('../../../cli/x.ts'), imports],
  ['activities/d.ts', value('@temporalio/workflow'), imports],
  ['activities/deep/fails.ts', failing('@temporalio/activity'), imports],
  ['activities/deep/fails-too.ts', failing('@temporalio/common'), imports],
  [
    'activities/deep/fails-as-well.ts',
    "import * as sdk from '@temporalio/activity';\nexport const f = () => sdk.ApplicationFailure.retryable('x');\n",
    imports,
  ],
  [
    'activities/deep/names-the-type.ts',
    "import { type ApplicationFailure, log } from '@temporalio/activity';\nexport const f = (e: ApplicationFailure) => log.warn(e.message);\n",
  ],
  ['activities/good.ts', value('../files/regular-file.ts')],
  ['files/a.ts', value('../domain/names.ts'), imports],
  ['files/b.ts', value('zod'), imports],
  ['files/c.ts', value('../input/x.ts'), imports],
  ['domain/input.ts', value('../input/x.ts'), imports],
  ['workflows/input.ts', value('../input/x.ts'), imports],
  ['input/a.ts', value('../activities/x.ts'), imports],
  ['input/b.ts', value('../cli/x.ts'), imports],
  ['input/good.ts', value('../files/regular-file.ts')],
  ['activities/input.ts', value('../input/x.ts')],
  ['workers/a.ts', value('../workflows/index.ts'), imports],
  ['workers/deep/b.ts', value('../../cli/x.ts'), imports],
  ['cli/a.ts', value('../activities/x.ts'), imports],
  ['cli/commands/a.ts', value('../../activities/report/x.ts'), imports],
  ['cli/commands/b.ts', value('../../workers/config.ts'), imports],
  ['cli/commands/c.ts', value('../../workflows/train-critic.ts'), imports],
  ['cli/config.ts', value('../infra/local/stack-config.ts'), imports],
  ['cli/commands/d.ts', value('../../infra/local/stack.ts'), imports],
  ['cli/commands/deep/local.ts', typeOnly('../../../infra/local/stack.ts'), imports],
  ['cli/commands/local.ts', value('../../infra/local/stack.ts')],
  ['cli/commands/demo.ts', value('../../infra/local/stack.ts')],
  ['cli/commands/good.ts', typeOnly('../../workflows/train-critic.ts')],
  ['cli/commands/good-too.ts', value('../../workflows/messages.ts')],
  ['packages/slurm-rest-client/src/a.ts', value('../../../domain/names.ts'), imports],
  ['packages/slurm-rest-client/src/deep/b.ts', value('../../../../activities/x.ts'), imports],
  ['activities/circle/a.ts', "import type { B } from './b.ts';\nexport type A = B;\n", 'import(no-cycle)'],
  ['activities/circle/b.ts', "import type { A } from './a.ts';\nexport type B = A;\n", 'import(no-cycle)'],
  ['activities/f.ts', 'export default 1;\n', 'import(no-default-export)'],
];

const reportSchema = z.object({ diagnostics: z.array(z.object({ code: z.string(), filename: z.string() })) });
let refused: { code: string; filename: string }[] = [];

beforeAll(() => {
  copyFileSync(join(root, '.oxlintrc.json'), join(house, '.oxlintrc.json'));
  for (const [file, code] of probes) {
    mkdirSync(join(house, dirname(file)), { recursive: true });
    writeFileSync(join(house, file), code);
  }
  const entry = join(root, 'node_modules/.bin/oxlint');
  const { stdout } = spawnSync(process.execPath, [entry, '--format=json'], { cwd: house, encoding: 'utf8' });
  refused = reportSchema.parse(JSON.parse(stdout)).diagnostics;
});
afterAll(() => rmSync(house, { recursive: true }));

describe('lint', () => {
  it.each(probes.filter(([, , rule]) => rule !== undefined))('refuses %s with %j', (file, _code, rule) => {
    expect(refused.filter(({ filename }) => filename === file).map(({ code }) => code)).toContain(rule);
  });

  it.each(probes.filter(([, , rule]) => rule === undefined))('allows %s with %j', (file) => {
    expect(refused.filter(({ filename }) => filename === file)).toEqual([]);
  });
});
