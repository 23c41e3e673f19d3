/** What every file of fault tests opens and closes: the proxy and a Temporal client. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { Proxy } from './proxy.ts';
import { Runs } from './runs.ts';
import { resumeNodes } from './stack.ts';

/** Opened before the file's tests; at the start of each the proxy passes everything, and all nodes take jobs. */
export function fixture(): { proxy: Proxy; runs: Runs } {
  const opened: Partial<{ proxy: Proxy; runs: Runs }> = {};
  beforeAll(async () => {
    opened.proxy = await Proxy.open();
    opened.runs = await Runs.connect();
  });
  beforeEach(async () => {
    opened.proxy?.reset();
    await resumeNodes();
  });
  afterAll(async () => {
    await opened.runs?.close();
    await opened.proxy?.close();
  });
  return {
    get proxy() {
      if (opened.proxy === undefined) throw new Error('the proxy is not open');
      return opened.proxy;
    },
    get runs() {
      if (opened.runs === undefined) throw new Error('there is no client');
      return opened.runs;
    },
  };
}
