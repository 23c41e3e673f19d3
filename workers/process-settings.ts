/**
 * How a worker's process must be started to stay small: 300 MB while it sends hundreds of pictures a minute, 450 MB without
 * (bench/README.md). V8's young generation at 4 MB instead of 16: what passes through is base64 that lives for a moment. Two
 * arenas of glibc's instead of 16: each keeps what libvips once used. Neither can be set from within.
 */
export const nodeFlags = ['--max-semi-space-size=4'];
export const environment = { MALLOC_ARENA_MAX: '2' };
