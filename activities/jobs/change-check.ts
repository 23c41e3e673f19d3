/**
 * Whether Slurm would take what an operator wants to change of a job. It only asks: partitions and nodes of slurmctld, and the names of QOS of slurmdbd
 * where they are needed. Where there is no slurmdbd, or it does not answer, QOS are not judged: the submission tells.
 */
import { log } from '@temporalio/activity';
import { SlurmError } from 'slurm-rest-client';
import { type ChangeCheck, changeFaults } from '../../domain/jobs/change-check.ts';
import type { ClusterSource } from '../estimate/placement-check.ts';

/** `SlurmClient` is one. */
export interface RulesSource extends ClusterSource {
  qos: () => Promise<{ name: string }[]>;
}

export function createChangeActivities({ slurm }: { slurm: RulesSource }) {
  return {
    /** One sentence for each change that Slurm would refuse, or take and never start. Throws while slurmctld does not answer. */
    async checkChanges(check: ChangeCheck): Promise<{ faults: string[] }> {
      const [partitions, nodes] = await Promise.all([slurm.partitions(), slurm.nodes()]);
      const qos = check.wanted.qos === undefined ? [] : await namesOfQos(slurm);
      return { faults: changeFaults(check, { partitions, nodes, qos }) };
    },
  };
}

async function namesOfQos(slurm: RulesSource): Promise<string[]> {
  try {
    return (await slurm.qos()).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof SlurmError)) throw error;
    log.warn('the QOS of an answer was not looked at', { reason: error.message });
    return [];
  }
}
