/** Scorings of the workflow tests. */
import type { Client } from '@temporalio/client';
import { taskQueues } from '../../domain/names.ts';
import type { ScoringOrder } from '../../domain/scoring/scoring.ts';
import type { scorePairs } from '../../workflows/score-pairs.ts';

export const orderOf = (id: string, more: Partial<ScoringOrder> = {}): ScoringOrder => ({
  schema: 1,
  id,
  purpose: 'score',
  critic: { champion: 'test' },
  pairs: { kind: 'table', path: '/p.csv' },
  ...more,
});

export const start = (client: Client, order: ScoringOrder, historyEvents = 2000) =>
  client.workflow.start<typeof scorePairs>('scorePairs', {
    workflowId: order.id,
    taskQueue: taskQueues.workflows,
    args: [order, { historyEvents, roundSeconds: 300 }],
  });
