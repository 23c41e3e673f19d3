/**
 * The paths of workflows of which a history is kept for each release. A path's name is its workflow's id when it is recorded
 * (tests/workflows/paths.test.ts), and the name of its file; a path that continues as new has several, `<path>.1.json.gz`, `<path>.2.json.gz`.
 */
export const paths = [
  'train-critic-passed',
  'train-critic-not-passed',
  'train-critic-job-retried',
  'train-critic-job-stuck',
  'train-critic-asked-retry',
  'train-critic-asked-changes',
  'train-critic-asked-skip',
  'train-critic-asked-abort',
  'train-critic-outage',
  'train-critic-cancelled',
  'train-critic-paused-in-synthesis',
  'train-critic-continued',
  'run-jobs',
  'reap-orphans',
  'plan-run',
  'run-night',
  'run-night-stopped',
  'run-experiment',
  'run-night-page',
  'score-pairs',
] as const;
export type Path = (typeof paths)[number];
