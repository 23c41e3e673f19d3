/**
 * Inquiries: what a person may ask of store and cluster from any machine that reaches Temporal. The CLI sends one to the caretaker
 * (`workflows/caretaker.ts`), an activity answers it (`activities/inquiries/`), and the reply comes back through Temporal. So a reply has at most
 * 100 KiB; what may be larger comes in pages.
 */
import type { Notice } from './notice.ts';
import type { RunPlan } from './plan.ts';

/** Input and reply of each inquiry, by its name, which is a wire contract. */
export interface Inquiries {
  /** The plan of a run as the store keeps it. null: the store has no such run. */
  plan: { input: { run: string }; reply: { plan: RunPlan | null } };
  /** The newest notices, or those that are not delivered everywhere; at most 100. */
  notices: { input: { open: boolean; limit: number }; reply: { notices: KeptNotice[] } };
  /** null: there is none of this id. */
  notice: { input: { id: string }; reply: { notice: Notice | null; deliveries: Record<string, NoticeDelivery> } };
  /** Has deliveries that were given up begin again. `channels`: which. */
  'notice-retry': { input: { id: string }; reply: { channels: string[] } };
  /** Tells a channel something, and waits some seconds for it. null: no worker has taken it up. */
  'notice-test': { input: { channel: string }; reply: { id: string; delivery: NoticeDelivery | null } };
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
