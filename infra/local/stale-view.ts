/**
 * Stale view, for the tests: a program sees one folder as over a network file system. In a mount namespace of the program's own, bindfs
 * is mounted over the folder and remembers names, absent names and attributes. Everybody else sees the folder as it is, at the same
 * path. The program keeps its pid. The view ends with it, also by kill -9.
 */

/** argv that starts `argv` in this way. Paths must have no spaces. */
export function behindStaleView(argv: readonly string[], folder: string, seconds: number): [string, ...string[]] {
  const options = ['attr_timeout', 'entry_timeout', 'negative_timeout'].map((name) => `${name}=${seconds}`).join(',');
  return ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', script, 'sh', folder, options, ...argv];
}

const script = `
/usr/bin/setpriv --pdeathsig KILL /usr/bin/bindfs -f -o "$2" "$1" "$1" &
tries=0
until /bin/grep -q " $1 fuse" /proc/self/mounts; do
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || { echo "bindfs does not get ready over $1" >&2; exit 1; }
  /bin/sleep 0.05
done
shift 2
exec "$@"`;
