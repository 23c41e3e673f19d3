/**
 * Inquiries: what a person may ask of store and cluster from any machine that reaches Temporal. The CLI sends one to the caretaker
 * (`workflows/caretaker.ts`), an activity answers it (`activities/inquiries/`), and the reply comes back through Temporal. So a reply has at most
 * 100 KiB; what may be larger comes in pages.
 */
import type { MetricsRow } from './manifest.ts';
import type { JobStage } from './names.ts';
import type { Notice } from './notice.ts';
import type { RunPlan } from './plan.ts';
import type { GcReport, GcRequest } from './retention.ts';

/** Input and reply of each inquiry, by its name, which is a wire contract. */
export interface Inquiries {
  /** The plan of a run as the store keeps it. null: the store has no such run. */
  plan: { input: { run: string }; reply: { plan: RunPlan | null } };
  /** The newest notices, or those that are not delivered everywhere; at most 100. `unreadable`: ids of those with a damaged file. */
  notices: { input: { open: boolean; limit: number }; reply: { notices: KeptNotice[]; unreadable: string[] } };
  /** null: there is none of this id. */
  notice: { input: { id: string }; reply: { notice: Notice | null; deliveries: Record<string, NoticeDelivery> } };
  /** Has deliveries that were given up, or wait for their next try, begin again at once. `channels`: which. */
  'notice-retry': { input: { id: string }; reply: { channels: string[] } };
  /** Tells a channel something, and waits some seconds for it. null: no worker has taken it up. */
  'notice-test': { input: { channel: string }; reply: { id: string; delivery: NoticeDelivery | null } };
  /** Attempts of a run's jobs, oldest first; the newest 200. `stage`: of this one only. */
  attempts: { input: { run: string; stage: JobStage | null }; reply: { attempts: AttemptSummary[] } };
  /**
   * A page of an attempt's log, of at most 16 KiB: from byte `from` on, or the last one (null). `waitSeconds` (at most 20): how long to wait where
   * nothing is new. A last line that has not ended is left for the next page, unless `whole`.
   */
  log: {
    input: {
      run: string;
      stage: JobStage;
      attempt: number;
      from: number | null;
      whole: boolean;
      waitSeconds: number;
    };
    reply: LogPage;
  };
  /**
   * A page of the metrics of a stage, all attempts stitched, those of the runs that this one resumes too; from the step after `after` on. A run without
   * an attempt has those of the artifact that it reused, if `key` says which.
   */
  metrics: {
    input: { run: string; stage: JobStage; key: string | null; after: number; waitSeconds: number };
    reply: { rows: MetricsRow[]; more: boolean; attempts: number };
  };
  /** Complete checkpoints of a run's attempts, oldest first; the newest 200. */
  checkpoints: { input: { run: string }; reply: { checkpoints: CheckpointSummary[] } };
  /** What of the store nobody needs. With `apply` it is removed. */
  gc: { input: GcRequest; reply: GcReport };
}

/** One try of a job, as its folder tells it. */
export interface AttemptSummary {
  stage: JobStage;
  attempt: number;
  jobId: string | null;
  /** null: its job has left no outcome: it has not ended, or was killed. */
  host: string | null;
  exitCode: number | null;
  startedAt: string | null;
  endedAt: string | null;
  /** Size of its log; 0 if there is none yet. */
  logBytes: number;
}

export interface LogPage {
  text: string;
  /** Bytes of the log before this page, up to its end, and in all. */
  from: number;
  next: number;
  size: number;
}

export interface CheckpointSummary {
  stage: JobStage;
  attempt: number;
  step: number;
  bytes: number;
  /** When it was complete, ISO, UTC. */
  savedAt: string;
  /** Absolute, as the worker sees it. */
  path: string;
  /** Key of the artifact that the attempt was to make. null: not known. */
  key: string | null;
}

/** How far the delivery of a notice by one channel is. */
export interface NoticeDelivery {
  state: 'pending' | 'sending' | 'sent' | 'given-up';
  tries: number;
  next?: string | undefined;
  sent?: string | undefined;
  error?: string | undefined;
}

export interface KeptNotice extends Pick<Notice, 'id' | 'kind' | 'at' | 'title'> {
  deliveries: Record<string, NoticeDelivery>;
}

export type InquiryName = keyof Inquiries;
export type Inquiry = { [Name in InquiryName]: { name: Name; input: Inquiries[Name]['input'] } }[InquiryName];

/** How the caretaker works. The worker tells it when it starts. */
export interface CaretakerSettings {
  /** Pause between two looks for jobs whose run is over, ms. */
  reaperIntervalMs: number;
}
