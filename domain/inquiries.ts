/**
 * Inquiries: what a person may ask of store and cluster from any machine that reaches Temporal. The CLI sends one to the caretaker
 * (`workflows/upkeep/caretaker.ts`), an activity answers it (`activities/inquiries/`), and the reply comes back through Temporal. So a reply has at most
 * 100 KiB; what may be larger comes in pages.
 */
import type { Metrics } from './evaluation/evaluation.ts';
import type { Interval } from './evaluation/metrics.ts';
import type { HealthCheck } from './health-check.ts';
import type { MetricsRow } from './manifest.ts';
import type { JobStage, Stage } from './names.ts';
import type { Night, NightVerdict } from './nights/night.ts';
import type { Notice } from './notices/notice.ts';
import type { RunPlan } from './plan.ts';
import type { ScoringOrder } from './scoring/scoring.ts';
import type { GcReport, GcRequest } from './keeping/retention.ts';

/** Input and reply of each inquiry, by its name, which is a wire contract. */
export interface Inquiries {
  /** The plan of a run as the store keeps it. null: the store has no such run. */
  plan: { input: { run: string }; reply: { plan: RunPlan | null } };
  /**
   * The newest notices, or those that are not delivered everywhere; at most 100. `unreadable`: ids of those with a damaged file. One without a delivery was
   * taken up by no channel: it waits, or no channel takes such a notice.
   */
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
  /** What of a night is not there, as its worker sees it: folder, recipe with dataset and model, channels. */
  'night-check': { input: { night: Night }; reply: { faults: string[] } };
  /** Why a scoring cannot begin: its critic is not there, or the worker cannot open what it names. Empty: it can. */
  'scoring-check': {
    input: Pick<ScoringOrder, 'purpose' | 'critic' | 'pairs' | 'mapping'>;
    /** `version`: of the champion, if it is one that stands. */
    reply: { faults: string[]; version?: number };
  };
  /** What the worker sees of store, Slurm, environments and the teacher's key. */
  health: { input: Record<string, never>; reply: { checks: HealthCheck[] } };
  /** Artifacts by their manifests, newest first; how many there are in all. `run`: those that it made. */
  artifacts: {
    input: { stage: Stage | null; run: string | null; limit: number };
    reply: { artifacts: ArtifactSummary[]; count: number; bytes: number };
  };
  /** One artifact. `id`: its key, or 6 or more of its first digits; the same for all of these. */
  artifact: { input: { id: string }; reply: { artifact: ArtifactDetails } };
  /** Reads all files and compares them with the manifest. Takes minutes for a model. */
  'artifact-verify': {
    input: { id: string };
    reply: { stage: Stage; key: string; files: number; bytes: number; fault: string | null };
  };
  /** Keeps an artifact from `artifacts gc`. Once more changes the words. */
  'artifact-pin': { input: { id: string; by: string; reason: string }; reply: { pin: Pin } };
  'artifact-unpin': { input: { id: string }; reply: { key: string } };
  /** All champions with their newest version, or the newest 50 versions of one. */
  champions: { input: { name: string | null }; reply: { champions: ChampionSummary[] } };
  /**
   * A person makes a critic champion: one that a run has made (`critic`), or an earlier version again (`version`). Only while `expected` is the
   * newest version (0: there is none): else `changed`, and nothing is done. The same `request` again is the same promotion.
   */
  'champion-promote': {
    input: { name: string; what: PromotedCritic; expected: number; by: string; reason: string; request: string };
    reply: { outcome: 'promoted' | 'changed'; champion: ChampionSummary | null };
  };
  /** Writes nights.html anew. The newest rows of all nights, `limit` at most; `url`: where it is served, null: nowhere. */
  nights: {
    input: { limit: number };
    reply: { page: string; url: string | null; nights: NightSummary[]; unreadable: string[] };
  };
  /** What a finished evaluation holds of the critic, and of another one beside it. Keys are of evaluation artifacts. */
  compare: { input: { ours: string; theirs: string; seed: number }; reply: EvaluationComparison };
}

/** Which critic: keys of its artifacts. */
export type PromotedCritic =
  | { version: number }
  | { critic: { run: string; grpo: string; evaluation: string; predictions: string } };

export interface ChampionSummary {
  name: string;
  version: number;
  run: string;
  /** MainScore in [−1, 1]; null if it could not be computed. */
  mainScore: number | null;
  /** Key of the artifact that holds the model, and the model's folder as the worker sees it. */
  key: string;
  path: string;
  decidedAt: string;
  /** Version of the champion that candidates are compared with, beside this one. */
  reference: number;
  /** The person who made it champion. null: the gate did. */
  by: string | null;
  /** Why: the person's words, else the gate's reasons. */
  reasons: string[];
}

export interface EvaluationComparison {
  /** By metric, of the critic after GRPO. */
  ours: Metrics;
  theirs: Metrics;
  /** MainScore, ours − theirs, with a 95 % interval. */
  estimate: number | null;
  interval: Interval;
  /** Measured on the same pairs. */
  paired: boolean;
}

/** A night as it ended, or goes on. What is null is not known, or there is none. */
export interface NightSummary {
  night: string;
  /** When it was to begin, ISO, UTC. */
  at: string;
  verdict: NightVerdict | 'under-way';
  why: string;
  run: string | null;
  nothingNew: boolean;
  /** MainScore in [−1, 1], with its 95 % interval. */
  score: number | null;
  interval: Interval;
  /** MainScore minus the champion's. */
  change: number | null;
  usd: number | null;
  gpuHours: number | null;
  gpuHoursWasted: number | null;
}

export interface ArtifactSummary {
  stage: Stage;
  key: string;
  /** The run that made it. */
  run: string;
  madeAt: string;
  files: number;
  bytes: number;
  isPinned: boolean;
}

export interface ArtifactDetails extends ArtifactSummary {
  /** As the worker sees it. */
  path: string;
  attempts: string[];
  counts: Record<string, number>;
  cost: Record<string, number | undefined>;
  /** What its key is the hash of. null: more than 32 KiB. */
  ingredients: Record<string, unknown> | null;
  /** The largest files, 100 at most. */
  largest: { path: string; bytes: number }[];
  pin: Pin | null;
}

/** A person's word that an artifact is to be kept. */
export interface Pin {
  stage: Stage;
  key: string;
  by: string;
  reason: string;
  at: string;
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
  /** The next attempt, or a run that resumes this one, goes on from here. Of a stage that is done no checkpoint is. */
  resumes: boolean;
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
