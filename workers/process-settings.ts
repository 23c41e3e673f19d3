/**
 * How a worker's process must be started to stay small: 300 MB while it sends hundreds of pictures a minute, instead of 450 MB
 * (bench/README.md). A process cannot set any of this for itself. V8's young generation has 4 MB instead of 16, since base64 passes
 * through it and lives for a moment. glibc has two arenas instead of 16, and blocks above 128 KB (pictures) go back to the system
 * when they are freed. Node keeps what it has compiled of our files, by their content, so that a new worker is there sooner
 * (below the checkout, in which a worker is started).
 */
export const nodeFlags = ['--max-semi-space-size=4'];
export const environment = {
  NODE_COMPILE_CACHE: 'node_modules/.cache/node',
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};
