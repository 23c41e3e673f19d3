/** A thread that does one piece of statistics, says each step, and ends. Started by `off-loop.ts`; imported by nobody. */
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

// Only `off-loop.ts` starts this, and types what it hands over. A port of threads has no origin.
// oxlint-disable-next-line typescript/no-unsafe-argument
run(workerData, (message) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(message);
});
