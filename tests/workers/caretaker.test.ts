/** The caretaker's workflow, kept running on a server that has forgotten it. On a real server: tests/workflows/caretaker.test.ts. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { expect, it } from 'vitest';
import { keepCaretaker } from '../../workers/caretaker.ts';

it('is begun where the server does not know it, as after the loss of its database', async () => {
  const begun: unknown[] = [];
  const describe = async () => Promise.reject(new WorkflowNotFoundError('no such workflow', 'critic-caretaker@a', ''));
  const workflow = {
    getHandle: () => ({ describe }),
    signalWithStart: async (_type: string, { workflowId }: { workflowId: string }) => begun.push(workflowId),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  await keepCaretaker({ workflow } as unknown as Client, { reaperIntervalMs: 1000 }, 'a');
  expect(begun).toEqual(['critic-caretaker@a']);
});
