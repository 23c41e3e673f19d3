/** Typed client of Slurm's REST API. Everything public is exported here and nothing else is. */
export { SlurmClient, type SlurmClientOptions } from './client.ts';
export { SlurmError, type Delivery, type SlurmErrorDetails, type SlurmErrorKind } from './errors.ts';
export {
  commandToken,
  fileToken,
  staticToken,
  tokenTimes,
  type CommandTokenOptions,
  type TokenProvider,
} from './token.ts';
export { describeState, isLaunchFailure, isTerminal } from './states.ts';
export { expandHostlist } from './hostlist.ts';
export { apiVersions } from './versions.ts';
export type { SignalTarget } from './adapters/adapter.ts';
export type {
  ApiVersion,
  BaseState,
  CancelResult,
  Diagnostics,
  JobExit,
  JobState,
  JobStatus,
  JobSubmission,
  JobUpdate,
  PingResult,
  SlurmAssociation,
  SlurmJob,
  SlurmLimits,
  SlurmNode,
  SlurmPartition,
  SlurmQos,
  SlurmServer,
  SlurmWarning,
  SubmittedJob,
} from './types.ts';
