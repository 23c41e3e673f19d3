/** Pending reasons: which ones pass by themselves and which wait for a person (fact sheet slurm §4.2). */

export type PendingVerdict = { kind: 'wait' } | { kind: 'stuck'; sentence: string };

/** Slurm shows a job's state description in place of its reason once there is one, with or without underscores. */
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

/**
 * `reason` is Slurm's state_reason of a PENDING job, '' if it has none. Limits that others' jobs fill (AssocGrp…, QOSGrp…,
 * QOSMax…PerUser) pass by themselves. Unknown reasons wait: Slurm gains new ones.
 */
export function judgePendingReason(reason: string): PendingVerdict {
  const found = stuck.find(([pattern]) => pattern.test(reason));
  return found === undefined ? { kind: 'wait' } : { kind: 'stuck', sentence: `pending (${reason}): ${found[1]}` };
}
