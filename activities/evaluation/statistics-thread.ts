/** A thread that does one piece of statistics, tells each step, and ends. `off-loop.ts` starts it, and nobody imports it. */
import { parentPort, workerData } from 'node:worker_threads';
import { perform, type StatisticsMessage, type StatisticsTask } from './statistics.ts';

function run(task: StatisticsTask, say: (message: StatisticsMessage<unknown>) => void): void {
  const steps = perform(task);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return say({ result: step.value });
    say({ step: step.value });
  }
}

// Only `off-loop.ts` starts this, with typed data. A port between threads has no origin.
// oxlint-disable-next-line typescript/no-unsafe-argument
run(workerData, (message) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(message);
});
