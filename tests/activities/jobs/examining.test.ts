/** Examining a partition, on a Slurm in memory: one job, whatever becomes of the worker and of the answer. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Accounting } from '../../../activities/jobs/accounting.ts';
import { createExaminingActivities } from '../../../activities/jobs/examining.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { examinationFolder, type ExaminationOrder } from '../../../domain/examination.ts';
import { activityEnvironment, inActivity, temporaryFolder } from '../fixtures.ts';
import { trainerSource } from '../store/model-fixtures.ts';
import { FakeSlurm } from './fake-slurm.ts';

const order: ExaminationOrder = {
  id: '20261128-190000',
  partition: 'a100',
  account: undefined,
  qos: undefined,
  nodes: 1,
  gpusPerNode: 0,
  gpuType: undefined,
  cpus: 1,
  model: '/models/m',
  waitSeconds: 60,
};
const node = {
  schema: 1,
  host: 'n1',
  cpus: 1,
  memory_mib: 1,
  shm_mib: 1,
  gpus: { found: [], driver: null, error: 'no nvidia-smi' },
  environments: [],
  store: { write_mib_s: 1, read_mib_s: 1, free_mib: 1, error: null },
  model: null,
};

async function world() {
  const slurm = new FakeSlurm();
  const store = new ArtifactStore(await temporaryFolder());
  const verl = { python: '/envs/verl/bin/python', engineFile: undefined, field: 'environments.verl' };
  const job = { python: '/python', script: '#!/bin/bash\n', userName: 'critic', fileIntervalMs: 10 };
  const all = {
    store,
    slurm,
    accounting: new Accounting(slurm),
    job: { ...job, trainerSource, environments: { verl } },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const deps = all as unknown as Parameters<typeof createExaminingActivities>[0];
  const folder = examinationFolder(store.root, order);
  const examine = (changes: Partial<ExaminationOrder> = {}) =>
    inActivity(activityEnvironment().env, () =>
      createExaminingActivities(deps).examinePartition({ ...order, ...changes }),
    );
  const leave = async (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value));
  return { slurm, folder, examine, leave };
}

/** What a node does once the job is there. */
async function runJob({ slurm, leave }: Awaited<ReturnType<typeof world>>, found: object = node) {
  while (slurm.jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await leave('node-0.json', found);
  await leave('collective.json', { schema: 1, backend: 'gloo', ranks: 1, gib_s: 2, error: null });
  slurm.end(slurm.jobs[0]?.id ?? '', 'COMPLETED');
}

describe('a partition', () => {
  it('is looked at by one job, which is told the environments and the model', async () => {
    const at = await world();
    const [examined] = await Promise.all([at.examine(), runJob(at)]);
    expect(examined).toMatchObject({ partition: 'a100', jobId: '7', nodes: [{ host: 'n1' }], problems: [] });
    const asked = JSON.parse(await readFile(join(at.folder, 'examination.json'), 'utf8'));
    expect(asked).toEqual({
      schema: 1,
      gpus_per_node: 0,
      model: '/models/m',
      environments: [
        { engines: ['llamafactory', 'trl', 'transformers'], python: '/python', image: null },
        { engines: ['verl'], python: '/envs/verl/bin/python', image: null },
      ],
    });
  });

  it('is looked at once by two workers, one of which dies before it reads the answer', async () => {
    const at = await world();
    at.slurm.fates.push({ createdAfterMs: 0, error: { kind: 'unavailable', delivery: 'unknown' } });
    const [first] = await Promise.all([at.examine(), runJob(at)]);
    expect(first.problems).toEqual([]);
    expect(await at.examine()).toEqual(first);
    expect(at.slurm.asked.filter((what) => what === 'submit')).toHaveLength(1);
  });

  it('that Slurm does not take is a problem in Slurm’s words', async () => {
    const at = await world();
    at.slurm.fates.push({ error: { kind: 'refused', delivery: 'refused' } });
    expect(await at.examine()).toMatchObject({
      jobId: null,
      problems: [expect.stringMatching(/^Slurm refused the job/)],
    });
  });

  it('whose job does not get its turn is left, and the job is cancelled', async () => {
    const at = await world();
    const examined = await at.examine({ waitSeconds: 0 });
    expect(examined.problems).toEqual(['job 7 did not start within 0 s: Priority']);
    expect(at.slurm.jobs[0]?.state).toBe('CANCELLED');
  });

  it('whose job wrote something else, or failed, is a problem that names the file or the log', async () => {
    const at = await world();
    const [examined] = await Promise.all([at.examine(), runJob(at, { ...node, cpus: 'many' })]);
    expect(examined.problems).toEqual([expect.stringContaining('node-0.json: cpus'), '0 of 1 nodes answered']);

    const other = await world();
    await mkdir(other.folder, { recursive: true });
    const failing = (async () => {
      while (other.slurm.jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      const log = 'srun: error: Unable to create step: More processors requested\njob.sh: the trainer ended with 1\n';
      await writeFile(join(other.folder, 'job.log'), log);
      await other.leave('outcome.json', {});
      other.slurm.end('7', 'FAILED');
    })();
    const [failed] = await Promise.all([other.examine(), failing]);
    expect(failed.problems[0]).toMatch(
      /^job 7 ended as FAILED: srun: error: .* More processors requested; its log: .*job\.log$/,
    );
  });
});
