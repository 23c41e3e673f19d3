/** `critic doctor` on the real Slurm: two nodes, looked at by one job. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { critic } from './stack.ts';

const model = fileURLToPath(new URL('../../models/tiny-critic', import.meta.url));
const findings = z.object({
  checks: z.array(z.object({ what: z.string(), state: z.enum(['good', 'note']), sentence: z.string() })).min(1),
  partitions: z.array(
    z.object({
      nodes: z.array(z.object({ environments: z.array(z.object({ engines: z.array(z.string()), error: z.null() })) })),
      collective: z.object({ backend: z.string(), ranks: z.number(), gib_s: z.number(), error: z.null() }),
      problems: z.array(z.string()),
    }),
  ),
});

it('the doctor finds two nodes well, and a model that is not there and a partition that is none out', async () => {
  const where = ['--partition', 'a100', '--nodes', '2', '--cpus', '1'];
  const [well, ill, nowhere] = await Promise.all([
    critic('doctor', ...where, '--model', model, '--json').done,
    critic('doctor', ...where, '--model', '/nowhere/model').done,
    critic('doctor', '--partition', 'h100').done,
  ]);
  expect(well).toMatchObject({ code: 0 });
  const [found] = findings.parse(JSON.parse(well.output)).partitions;
  expect(found).toMatchObject({ nodes: [{}, {}], collective: { backend: 'gloo', ranks: 2 }, problems: [] });
  expect(found?.nodes[0]?.environments[0]?.engines).toEqual(['llamafactory', 'trl', 'transformers']);

  const missing = /PROBLEM {2}a100-\d, a100-\d: model \/nowhere\/model: FileNotFoundError/;
  expect(ill).toEqual({ code: 1, output: expect.stringMatching(missing) });
  const refused = /h100: no job\n {2}PROBLEM {2}Slurm refused the job: .*partition/i;
  expect(nowhere).toEqual({ code: 1, output: expect.stringMatching(refused) });
}, 300_000);
