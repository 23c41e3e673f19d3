/** What Slurm lets the jobs' user do: partitions, and where there is a slurmdbd accounts and QOS with their limits, in sentences. It only asks. */
import type { SlurmAssociation, SlurmClient, SlurmLimits, SlurmPartition, SlurmQos } from 'slurm-rest-client';
import type { HealthCheck } from '../../domain/health-check.ts';

type Found = Omit<HealthCheck, 'what'>;

const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;

/** `2 days 12 h`, `90 min`. */
export function timeLimit(minutes: number): string {
  if (minutes < 120 || minutes % 60 !== 0) return `${minutes} min`;
  const hours = minutes / 60;
  if (hours < 48) return `${hours} h`;
  return `${plural(Math.floor(hours / 24), 'day')}${hours % 24 === 0 ? '' : ` ${hours % 24} h`}`;
}

/** One line a partition. One that is not UP starts no job. */
export function partitionSentences(partitions: readonly SlurmPartition[]): Found[] {
  return partitions.map(({ name, state, totalNodes, maxTimeMinutes }) => ({
    state: state === 'UP' ? 'good' : 'problem',
    sentence: [
      `${name}: ${state === 'UP' ? 'up' : `expected UP, got ${state}`}`,
      ...(totalNodes === undefined ? [] : [plural(totalNodes, 'node')]),
      maxTimeMinutes === undefined ? 'no time limit' : `a job takes at most ${timeLimit(maxTimeMinutes)}`,
    ].join(', '),
  }));
}

/** Undefined: it has none. */
function limitsInWords({ wallMinutes, running, submitted, perJob, together }: SlurmLimits): string | undefined {
  const amounts = (all: SlurmLimits['perJob']) => all.map(({ tres, count }) => `${tres}=${count}`).join(',');
  const said = [
    ...(wallMinutes === undefined ? [] : [`a job takes at most ${timeLimit(wallMinutes)}`]),
    ...(perJob.length === 0 ? [] : [`a job has at most ${amounts(perJob)}`]),
    ...(running === undefined ? [] : [`at most ${plural(running, 'job')} running`]),
    ...(submitted === undefined ? [] : [`at most ${submitted} waiting or running`]),
    ...(together.length === 0 ? [] : [`all together at most ${amounts(together)}`]),
  ];
  return said.length === 0 ? undefined : said.join(', ');
}

/** Accounts of the user with their limits and QOS, then the limits of these QOS. */
export function accountSentences(
  user: string,
  associations: readonly SlurmAssociation[],
  qos: readonly SlurmQos[],
): Found[] {
  if (associations.length === 0) {
    return [
      {
        state: 'note',
        sentence: `user ${user} has no account in slurmdbd: jobs are refused, or wait for ever, where the cluster wants one`,
      },
    ];
  }
  const lines = associations.map(({ account, partition, isDefault, qos: allowed, limits }) => {
    const where = partition === undefined ? '' : ` on ${partition}`;
    const which = allowed.length === 0 ? '' : `; QOS ${allowed.join(', ')}`;
    return `${account}${where}${isDefault ? ' (default)' : ''}: ${limitsInWords(limits) ?? 'no limits of its own'}${which}`;
  });
  const usable = new Set(associations.flatMap((one) => one.qos));
  const ofQos = qos
    .filter(({ name }) => usable.has(name))
    .flatMap(({ name, limits }) => {
      const said = limitsInWords(limits);
      return said === undefined ? [] : [`QOS ${name}: ${said}`];
    });
  return [...lines, ...ofQos].map((sentence) => ({ state: 'good', sentence }));
}

export async function checkPartitions(slurm: SlurmClient): Promise<Found[]> {
  return partitionSentences(await slurm.partitions());
}

/** `without`: what is said where there is no slurmdbd, or it does not answer. */
export async function checkAccounts(slurm: SlurmClient, user: string, without: string | undefined): Promise<Found[]> {
  if (without !== undefined) {
    return [{ state: 'note', sentence: 'without slurmdbd nothing says which limits accounts and QOS have' }];
  }
  return accountSentences(user, await slurm.associations(user), await slurm.qos());
}
