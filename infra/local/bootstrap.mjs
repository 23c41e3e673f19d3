/**
 * Bootstrap: runs on whatever Node npm has (20 and later), with nothing installed. Installs the npm packages if they are
 * missing or older than the lock file, then goes on under the project's own Node 24 in main.ts.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = `${root}node_modules/.bin/node`;
const stampFile = `${root}node_modules/.critic-stamp`;
const stamp = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');

if (!existsSync(node) || !existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
  const started = Date.now();
  console.log('npm packages: installing (about a minute)');
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (done.status !== 0) {
    console.error(`${done.stdout ?? ''}${done.stderr ?? ''}`);
    console.error('npm packages could not be installed: check the network and free disk space, then run this again.');
    process.exit(1);
  }
  writeFileSync(stampFile, stamp);
  console.log(`npm packages: installed in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

const child = spawn(node, [`${root}infra/local/main.ts`, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
// The terminal sends Ctrl-C to the child too; it decides what it means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
