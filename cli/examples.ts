/** Examples of `--help`: of each verb that does not bring its own. Keys are verbs as they are typed, without `critic`. */
import type { Command } from 'commander';

const run = 'demo-20261128-190000';
const notice = `run-${run}-ended`;

const examples: Readonly<Record<string, string>> = {
  run: 'run recipes/demo.yaml --dataset /data/ie-bench --seed 2',
  plan: 'plan recipes/demo.yaml --configs plan/',
  demo: 'demo --sources 20 --edits 5',
  watch: `watch ${run}`,
  answer: `answer ${run} grpo retry --exclude n12`,
  retry: `retry ${run} grpo --minutes 240`,
  pause: `pause ${run}`,
  unpause: `unpause ${run}`,
  cancel: `cancel ${run}`,
  resume: `resume ${run}`,
  rerun: `rerun ${run} --from grpo`,
  schedule: 'schedule apply nights/nightly.yaml --dry-run',
  experiment: 'experiment run experiments/reward-sweep.yaml',
  'notices ls': 'notices ls --open',
  'notices show': `notices show ${notice}`,
  'notices retry': `notices retry ${notice}`,
  'notices test': 'notices test oncall',
  local: 'local status',
  'local up': 'local up',
  'local down': 'local down',
  'local status': 'local status --json',
  'local logs': 'local logs worker',
  'local sample': 'local sample --sources 30 --edits 5',
};

/** Ends the help of each command below this one with its example, where it has none yet. */
export function addExamples(command: Command, path: readonly string[] = []): void {
  for (const below of command.commands) {
    const name = [...path, below.name()];
    const example = examples[name.join(' ')];
    if (example !== undefined) below.addHelpText('after', `\nExample: critic ${example}`);
    addExamples(below, name);
  }
}
