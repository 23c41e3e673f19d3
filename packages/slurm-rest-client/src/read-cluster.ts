/** Reading what is not a job: controllers, load, nodes. */
import type { Diagnostics, PingResult, SlurmNode } from './types.ts';
import { node, ping, statistics } from './wire.ts';

export function readPing(wire: unknown): PingResult['controllers'][number] {
  const { hostname, ping: said38, pinged, mode, responding, primary } = ping.parse(wire);
  const words = [said38, pinged].filter((word) => word !== '');
  const up = words.length > 0 ? words.includes('UP') : responding === true;
  return { host: hostname, mode: mode === '' && primary === true ? 'primary' : mode, up };
}

export function readStatistics(wire: unknown): Diagnostics {
  const load = statistics.parse(wire);
  return {
    serverThreadCount: load.server_thread_count,
    agentQueueSize: load.agent_queue_size,
    jobsSubmitted: load.jobs_submitted,
    jobsStarted: load.jobs_started,
    jobsCompleted: load.jobs_completed,
    jobsCancelled: load.jobs_canceled,
    jobsFailed: load.jobs_failed,
    jobsPending: load.jobs_pending,
    jobsRunning: load.jobs_running,
  };
}

/** v0.0.38 has the base in `state` (lower case) and the rest in `state_flags`; later versions have all in `state`, base first. */
export function readNode(wire: unknown): SlurmNode {
  const read = node.parse(wire);
  const [state = 'UNKNOWN', ...flags] = [...read.state, ...read.state_flags].map((word) => word.toUpperCase());
  return {
    name: read.name,
    state,
    flags,
    reason: read.reason,
    cpus: read.cpus ?? 0,
    memoryMiB: read.real_memory ?? 0,
    gres: read.gres,
    features: read.features,
    partitions: read.partitions,
  };
}
