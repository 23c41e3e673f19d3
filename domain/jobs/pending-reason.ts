/**
 * Pending reasons: which ones pass by themselves, which wait for a person, and which are unknown here. Slurm gets new reasons
 * (26.05's PartitionConfig never passes), and a job that cannot start must not wait in silence for ever.
 */

export type PendingVerdict = { kind: 'wait' } | { kind: 'stuck'; sentence: string };

/** If a job has a state description, Slurm shows that in place of its reason, with or without underscores. */
const stuck: [RegExp, string][] = [
  [
    /(\b|_)held(\b|_)/i,
    'the job was put on hold after a failed launch or a requeue: see its log, then "scontrol release"',
  ],
  [/^JobHeld(Admin|User)$/, 'the job is held: release it with "scontrol release"'],
  [/^JobHoldMaxRequeue$/, 'the job was requeued too often and is held: look at its log, then "scontrol release"'],
  [/^DependencyNeverSatisfied$/, 'its dependency can never be met: cancel the job and retry the stage'],
  [
    /^Partition(TimeLimit|NodeLimit|Down|Inactive)$/,
    'the partition does not take it: change partition, nodes or time limit',
  ],
  [
    /^(BadConstraints|InvalidAccount|InvalidQOS|QOSNotAllowed|AccountNotAllowed)$/,
    'account, QOS or constraint is not allowed: correct the recipe',
  ],
  [/^ReqNodeNotAvail/, 'the nodes it asks for are not available: return them, or exclude them'],
  [
    /^(Assoc|QOS)Max\w+PerJob(Limit)?$/,
    'it asks for more than its account or QOS allows: lower its time limit, nodes or other resources',
  ],
];

/** Reasons that pass by themselves, however long it takes: other jobs end, a time comes, a script is done. */
const passing = [
  /^(None|Priority|Resources|BeginTime|Dependency|Reservation|Licenses|JobArrayTaskLimit|SchedDefer|Prolog|Cleaning)$/,
  /^BurstBuffer\w*$/,
  // Limits that other people's jobs fill, or one's own.
  /^(Assoc|QOS)Grp\w+$/,
  /^QOSMax\w+Per(User|Account)(Limit)?$/,
  /^(AssocMaxJobs|QOSJobLimit|QOSResourceLimit|AssociationJobLimit|AssociationResourceLimit)\w*$/,
];

/** An unknown reason is told after this long: fifteen passes of Slurm's main scheduler (sched_interval, 60 s). */
export const unknownReasonMinutes = 15;

/**
 * `reason` is Slurm's state_reason of a PENDING job, '' if it has none. `lastedMs` is for how long it has been that reason. Limits
 * that other jobs fill (AssocGrp…, QOSGrp…, QOSMax…PerUser) pass by themselves. An unknown reason may never pass, so it is told
 * after `unknownReasonMinutes`. `shown` is the sentence that was told already: a watcher that has just begun does not take it back.
 */
export function judgePendingReason(reason: string, lastedMs = 0, shown?: string): PendingVerdict {
  const found = stuck.find(([pattern]) => pattern.test(reason));
  if (found !== undefined) return { kind: 'stuck', sentence: `pending (${reason}): ${found[1]}` };
  if (reason === '' || passing.some((pattern) => pattern.test(reason))) return { kind: 'wait' };
  const sentence =
    `pending (${reason}) for more than ${unknownReasonMinutes} minutes: this reason is unknown here, and it may never ` +
    'pass. See "scontrol show job". If it does not pass, cancel the job, correct the recipe and start a new run';
  const isTold = lastedMs >= unknownReasonMinutes * 60_000 || sentence === shown;
  return isTold ? { kind: 'stuck', sentence } : { kind: 'wait' };
}

/** For how long a job has been pending for one reason, as far as anybody looked. */
export class LastingReason {
  #reason: string | undefined;
  #sinceMs = 0;

  /** `reason` as it is now, at `nowMs`. Returns for how long it has been that reason, in ms; 0 at the first look. */
  look(reason: string, nowMs: number): number {
    if (reason !== this.#reason) {
      this.#reason = reason;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs;
  }
}
