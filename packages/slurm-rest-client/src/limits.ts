/** What slurmdbd allows a user: associations with their limits, and the limits of QOS. It lists nothing where there is no slurmdbd. */
import type { SlurmAssociation, SlurmLimits, SlurmQos } from './types.ts';
import { association, qos } from './wire.ts';

export function readAssociation(wire: unknown): SlurmAssociation {
  const { account, cluster, partition, user, is_default, flags, qos: allowed, max } = association.parse(wire);
  return {
    account,
    cluster,
    partition: partition === '' ? undefined : partition,
    user,
    isDefault: is_default || flags.includes('DEFAULT'),
    qos: allowed,
    limits: limits({
      wallMinutes: max.jobs.per.wall_clock,
      running: max.jobs.active,
      submitted: max.jobs.total,
      perJob: max.tres.per.job,
      together: max.tres.total,
    }),
  };
}

/** Its limits on one user, and on one job. */
export function readQos(wire: unknown): SlurmQos {
  const { name, limits: said } = qos.parse(wire);
  const { max } = said;
  return {
    name,
    limits: limits({
      wallMinutes: max.wall_clock.per.job,
      running: max.jobs.active_jobs.per.user,
      submitted: max.jobs.per.user,
      perJob: max.tres.per.job,
      together: max.tres.per.user,
    }),
  };
}

/** Slurm's INFINITE and NO_VAL, of 32 bits, are no limits. */
function limits({ perJob, together, ...counts }: { [Name in keyof SlurmLimits]: SlurmLimits[Name] }): SlurmLimits {
  const real = (value: number | undefined) =>
    value === undefined || value < 0 || value >= 4_294_967_294 ? undefined : value;
  return {
    wallMinutes: real(counts.wallMinutes),
    running: real(counts.running),
    submitted: real(counts.submitted),
    perJob,
    together,
  };
}
