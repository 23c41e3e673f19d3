/** The findings of `critic doctor` as lines for a person. */
import type { Examined, NodeFindings } from '../../domain/examination.ts';

const gib = (mib: number) => (mib >= 1024 ? `${(mib / 1024).toFixed(mib >= 10_240 ? 0 : 1)} GiB` : `${mib} MiB`);

/** One block for each partition: its nodes, what is between them, and every problem. */
export function doctorLines(all: readonly Examined[]): string[] {
  return all.flatMap(({ partition, jobId, nodes, collective, problems }) => [
    `${partition ?? 'default partition'}: ${jobId === null ? 'no job' : `job ${jobId}`}`,
    ...nodes.flatMap(nodeLines),
    ...(collective === null || collective.gib_s === null
      ? []
      : [
          `  all-reduce  ${collective.backend}, ${collective.ranks} ${collective.ranks === 1 ? 'process' : 'processes'}: right, ${collective.gib_s} GiB/s`,
        ]),
    ...problems.map((problem) => `  PROBLEM  ${problem}`),
    ...(problems.length === 0 ? ['  no problem found'] : []),
  ]);
}

function nodeLines({ host, cpus, memory_mib, shm_mib, gpus, environments, store, model }: NodeFindings): string[] {
  const kinds = [...new Set(gpus.found.map(({ name, memory_mib: memory }) => `${name}, ${gib(memory)}`))];
  const driver = gpus.driver === null ? '' : `; driver ${gpus.driver}`;
  return [
    `  ${host}: ${cpus} CPUs, ${gib(memory_mib)}, /dev/shm ${gib(shm_mib)} free`,
    `    GPUs     ${gpus.found.length === 0 ? 'none' : `${gpus.found.length} × ${kinds.join(' and ')}${driver}`}`,
    ...environments.map(
      ({ engines, seconds, error }) =>
        `    imports  ${engines.join(', ')}: ${error === null ? `${seconds} s` : 'failed, see below'}`,
    ),
    ...(store.error === null
      ? [`    store    writes ${store.write_mib_s}, reads ${store.read_mib_s} MiB/s; ${gib(store.free_mib)} free`]
      : []),
    ...(model === null || model.error !== null
      ? []
      : [`    model    ${model.path}: ${model.files} ${model.files === 1 ? 'file' : 'files'}, ${gib(model.mib)}`]),
  ];
}
