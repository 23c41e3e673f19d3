/**
 * How a worker's process must be started to stay small: 300 MB while it sends hundreds of pictures a minute, 450 MB without
 * (bench/README.md). None of this can be set from within. V8's young generation at 4 MB instead of 16: what passes through is
 * base64 that lives for a moment. glibc: two arenas instead of 16, and what is larger than 128 KB, pictures that is, goes
 * back to the system when it is freed.
 */
export const nodeFlags = ['--max-semi-space-size=4'];
export const environment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};
