/**
 * A process that takes turns: `node turn-child.ts STORE RUN TIMES`. Each time it has one it makes `STORE/busy`, which fails if another process has one,
 * and removes it. Prints `done`.
 */
import { appendFile, mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { turnWorld } from './turn-world.ts';

const [root = '', run = '', times = '1'] = process.argv.slice(2);
const { take, leave } = turnWorld(root, () => 'RUNNING');
for (let index = 0; index < Number(times); index += 1) {
  await take(run);
  await mkdir(join(root, 'busy'));
  await appendFile(join(root, 'order'), `${run}\n`);
  console.log('has it');
  await sleep(20);
  await rmdir(join(root, 'busy'));
  await leave(run);
}
console.log('done');
process.exit(0);
