/**
 * Inquiries: what a person may ask of store and cluster from any machine that reaches Temporal. The CLI sends one to the caretaker
 * (`workflows/caretaker.ts`), an activity answers it (`activities/inquiries/`), and the reply comes back through Temporal. So a reply has at most
 * 100 KiB; what may be larger comes in pages.
 */
import type { RunPlan } from './plan.ts';

/** Input and reply of each inquiry, by its name, which is a wire contract. */
export interface Inquiries {
  /** The plan of a run as the store keeps it. null: the store has no such run. */
  plan: { input: { run: string }; reply: { plan: RunPlan | null } };
}

export type InquiryName = keyof Inquiries;
export type Inquiry = { [Name in InquiryName]: { name: Name; input: Inquiries[Name]['input'] } }[InquiryName];

/** How the caretaker works. The worker tells it when it starts. */
export interface CaretakerSettings {
  /** Pause between two looks for jobs whose run is over, ms. */
  reaperIntervalMs: number;
}
