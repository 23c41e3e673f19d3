/** Would Slurm take the next attempt with what an operator wants to change? Pure. Asked before anything ends for it. */
import { describeFault } from '../errors.ts';
import type { OperatorAnswer } from '../operator-answer.ts';
import type { Resources } from '../recipe.ts';
import type { AttemptChanges } from './job-spec.ts';
import { changedBy } from './job-state.ts';
import { type ClusterView, placementFaults } from './placement.ts';

/** A job's resources, what its attempts differ by so far, and what is wanted of the next one. */
export interface ChangeCheck {
  resources: Resources;
  changes: AttemptChanges;
  wanted: OperatorAnswer;
}

/** What Slurm says of itself. `qos`: names of all QOS; empty where there is no slurmdbd, which alone knows them. */
export interface ClusterRules extends ClusterView {
  qos: readonly string[];
}

const slurmFields = ['excludeNodes', 'allowNodes', 'timeLimitMinutes', 'memoryFactor', 'partition', 'qos'] as const;

/** Is there anything among the changes that Slurm may refuse? */
export function concernsSlurm(wanted: OperatorAnswer): boolean {
  return slurmFields.some((field) => wanted[field] !== undefined);
}

/** One sentence for each change that Slurm would refuse or never start, by the answer's field. What Slurm does not tell is no fault. */
export function changeFaults({ resources, changes, wanted }: ChangeCheck, cluster: ClusterRules): string[] {
  return [...namedFaults(wanted, cluster), ...placedFaults(resources, changes, wanted, cluster)];
}

/** Names that the cluster does not have. */
function namedFaults(wanted: OperatorAnswer, { nodes, partitions, qos }: ClusterRules): string[] {
  const names = new Set([...nodes.map(({ name }) => name), ...partitions.flatMap((one) => one.nodes)]);
  const faults = (['excludeNodes', 'allowNodes'] as const).flatMap((field) => {
    const unknown = names.size === 0 ? [] : (wanted[field] ?? []).filter((name) => !names.has(name));
    const value = unknown.join(',');
    return unknown.length === 0
      ? []
      : [describeFault({ field: `answer.${field}`, value, expected: nodesExpected([...names]) })];
  });
  if (wanted.qos === undefined || qos.length === 0) return faults;
  // Slurm keeps names of QOS in small letters, and knows them however they are written.
  const known = wanted.qos.split(',').every((name) => qos.includes(name.toLowerCase()));
  const expected = `a QOS of the cluster (${qos.join(', ')})`;
  return known ? faults : [...faults, describeFault({ field: 'answer.qos', value: wanted.qos, expected })];
}

const mostNamed = 8;

function nodesExpected(names: readonly string[]): string {
  const more = names.length > mostNamed ? `, … ${names.length} in all` : '';
  return `nodes of the cluster (${names.slice(0, mostNamed).join(', ')}${more})`;
}

/** Which field of the answer changes a field of the resources. Others do not fit because another partition was taken. */
const answerFields: Partial<Record<string, (typeof slurmFields)[number]>> = {
  time_limit_minutes: 'timeLimitMinutes',
  nodes: 'excludeNodes',
  memory_mib: 'memoryFactor',
};

/** What no partition can give that the next attempt may be in. Without a partition in recipe and answer it is the one that comes closest. */
function placedFaults(
  resources: Resources,
  changes: AttemptChanges,
  wanted: OperatorAnswer,
  cluster: ClusterRules,
): string[] {
  if (cluster.partitions.length === 0) return [];
  const next = changedBy(changes, wanted, { checkpoint: null });
  const { allowNodes = [], excludeNodes } = next;
  const memory = resources.memory_mib;
  const wants: Resources = {
    ...resources,
    partition: next.partition ?? resources.partition ?? cluster.partitions.map(({ name }) => name).join(','),
    time_limit_minutes: next.timeLimitMinutes ?? resources.time_limit_minutes,
    exclude_nodes: [...resources.exclude_nodes.filter((node) => !allowNodes.includes(node)), ...excludeNodes],
    ...(memory === undefined ? {} : { memory_mib: Math.ceil(memory * next.memoryFactor) }),
  };
  return placementFaults(wants, cluster).map(({ path, input, message }) => {
    const last = String(path.at(-1));
    const field = answerFields[last];
    const isSaid = field !== undefined && wanted[field] !== undefined;
    if (last !== 'partition' && !isSaid) {
      const why = `${last} ${String(input)}: ${message}`;
      const given = wanted.partition === undefined ? 'the next attempt' : `answer.partition: "${wanted.partition}"`;
      return `${given} does not fit: ${why}`;
    }
    if (field === 'excludeNodes') {
      const value = (wanted.excludeNodes ?? []).join(',');
      const expected = `to leave nodes enough for "nodes: ${String(input)}" of the recipe (${message.replace(/^expected /, '')})`;
      return describeFault({ field: 'answer.excludeNodes', value, expected });
    }
    return describeFault({
      field: `answer.${field ?? 'partition'}`,
      value: input,
      expected: message.replace(/^expected /, ''),
    });
  });
}
