/** A gc that moves all that goes to the trash, says so, and stands still there: `node gc-child.ts STORE`. */
import { World } from './world.ts';

await new World(process.argv[2] ?? '').gc({}, async () => {
  console.log('moved');
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
