/**
 * Before and after `npm pack` / `npm publish`. Inside the workspace `exports` names the TypeScript source, which Node strips by
 * itself; from node_modules it refuses to, so what is published has JavaScript and declarations and `exports` names those. npm
 * has no other hook for a different `exports` in the tarball: `before` builds, then rewrites package.json last; `after` restores it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const manifest = `${here}package.json`;
const kept = `${here}package.json.workspace`;

function before() {
  if (existsSync(kept))
    throw new Error(`${kept} is left from a pack that broke off: run "node scripts/pack.mjs after" first`);
  rmSync(`${here}dist`, { recursive: true, force: true });
  execFileSync('tsc', ['-p', `${here}tsconfig.build.json`], { stdio: 'inherit' });
  const text = readFileSync(manifest, 'utf8');
  const { scripts: _, ...published } = JSON.parse(text);
  published.main = './dist/index.js';
  published.types = './dist/index.d.ts';
  published.exports = { '.': { types: './dist/index.d.ts', default: './dist/index.js' } };
  writeFileSync(kept, text);
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`);
}

function after() {
  if (existsSync(kept)) renameSync(kept, manifest);
}

if (process.argv[2] === 'before') before();
else if (process.argv[2] === 'after') after();
else throw new Error('usage: node scripts/pack.mjs before|after');
