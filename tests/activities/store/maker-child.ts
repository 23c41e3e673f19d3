/** A process that claims an artifact: `node maker-child.ts STORE RUN OPEN,RUNS`. It waits for a line, claims, and prints the run that has it. */
import { once } from 'node:events';
import { claimArtifact } from '../../../activities/store/makers.ts';

const [root = '', run = '', open = ''] = process.argv.slice(2);
console.log('ready');
await once(process.stdin, 'data');
const runs = open.split(',');
console.log(await claimArtifact(root, { stage: 'sft', key: 'k' }, run, async (one) => runs.includes(one)));
process.exit(0);
