/** Slurm's configuration files of a local stack, as text. Pure: the tests compare it. */
import { join } from 'node:path';
import { folders, port, type StackConfig, users } from './stack-config.ts';

export const nodes = ['a100-0', 'a100-1'] as const;
export const gpusPerNode = 8;

export function slurmConf(config: StackConfig): string {
  const where = folders(config);
  const slurm = where.slurm;
  const slurmd = port(config, 'slurmd');
  return [
    '# Written by infra/local at every start; changes here are lost.',
    'ClusterName=critic-local',
    `SlurmctldHost=${config.host}(127.0.0.1)`,
    `SlurmctldPort=${port(config, 'slurmctld')}`,
    `SlurmUser=${users.slurm}`,
    'AuthType=auth/munge',
    `AuthInfo=socket=${join(where.run, 'munge.socket')}`,
    'CredType=cred/munge',
    'AuthAltTypes=auth/jwt',
    `AuthAltParameters=jwt_key=${join(slurm, 'jwt.key')}`,
    `StateSaveLocation=${join(slurm, 'ctld')}`,
    `SlurmdSpoolDir=${join(slurm, 'spool-%n')}`,
    `SlurmctldPidFile=${join(where.run, 'slurmctld.pid')}`,
    `SlurmdPidFile=${join(where.run, 'slurmd-%n.pid')}`,
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_Core',
    'SlurmdParameters=config_overrides',
    'MpiDefault=none',
    'ReturnToService=2',
    'JobAcctGatherType=jobacct_gather/linux',
    'JobRequeue=0',
    'KillWait=10',
    'MinJobAge=300',
    'SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1',
    'AccountingStorageType=accounting_storage/slurmdbd',
    'AccountingStorageHost=127.0.0.1',
    `AccountingStoragePort=${port(config, 'slurmdbd')}`,
    `AccountingStoragePass=${join(where.run, 'munge.socket')}`,
    'AccountingStoreFlags=job_comment',
    'AccountingStorageTRES=gres/gpu',
    'GresTypes=gpu',
    ...nodes.map(
      (node, index) =>
        `NodeName=${node} NodeHostname=${config.host} NodeAddr=127.0.0.1 Port=${slurmd + index} CPUs=8 RealMemory=20000 Gres=gpu:a100:${gpusPerNode}`,
    ),
    `PartitionName=a100 Nodes=${nodes.join(',')} Default=YES MaxTime=UNLIMITED State=UP`,
    '',
  ].join('\n');
}

/** Pretended GPUs: device files of the null kind that only have to exist. */
export function gresConf(config: StackConfig): string {
  const devices = join(folders(config).slurm, 'devices');
  return `Name=gpu Type=a100 File=${devices}/nvidia[0-${gpusPerNode - 1}]\n`;
}

export function slurmdbdConf(config: StackConfig): string {
  const where = folders(config);
  return [
    'AuthType=auth/munge',
    `AuthInfo=socket=${join(where.run, 'munge.socket')}`,
    `DbdHost=${config.host}`,
    'AuthAltTypes=auth/jwt',
    `AuthAltParameters=jwt_key=${join(where.slurm, 'jwt.key')}`,
    'DbdAddr=127.0.0.1',
    `DbdPort=${port(config, 'slurmdbd')}`,
    `SlurmUser=${users.slurm}`,
    `PidFile=${join(where.run, 'slurmdbd.pid')}`,
    'StorageType=accounting_storage/mysql',
    'StorageHost=localhost',
    `StorageUser=${users.slurm}`,
    'StorageLoc=slurm_acct',
    '',
  ].join('\n');
}
