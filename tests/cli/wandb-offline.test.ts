/** The offline W&B run of a stage's numbers, with a stand-in of the package's four calls that keeps what is logged. The real package was tried by hand. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const standIn = `
import json, os, pathlib
def Settings(**given): return given
def init(mode, project, id, name, dir, settings):
    assert mode == "offline"
    place = pathlib.Path(dir, "wandb", "offline-run-20261129_090000-" + id)
    place.mkdir(parents=True)
    class Run:
        def log(self, row, step):
            if os.environ.get("DIE_AT") == str(step): os.kill(os.getpid(), 9)
            with open(place / "log", "a") as log: log.write(json.dumps([step, row]) + "\\n")
        def finish(self): pass
    return Run()
`;
const script = new URL('../../cli/wandb_offline.py', import.meta.url).pathname;

async function world() {
  const folder = await mkdtemp(join(tmpdir(), 'critic-wandb-'));
  await writeFile(join(folder, 'wandb.py'), standIn);
  const out = join(folder, 'out');
  const make = (input: string, env: Record<string, string> = {}) =>
    spawnSync('python3', [script, out], {
      input,
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: folder, ...env },
    });
  const logged = async () => {
    const text = await readFile(join(out, 'offline-run-r-grpo/log'), 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
  };
  return { out, make, logged };
}

const series = (losses: readonly (number | null)[]) =>
  JSON.stringify({
    run: 'r',
    stage: 'grpo',
    attempts: 2,
    rows: losses.map((loss, i) => ({
      step: i + 1,
      attempt: 1 + i,
      time: 1_780_000_000,
      total_steps: 9,
      loss,
      non_finite: [],
    })),
  });

describe('an offline W&B run', () => {
  it('has every finite number at its step, whatever the attempt', async () => {
    const { make, logged } = await world();
    expect(make(series([2.5, null]))).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/\/offline-run-r-grpo\n$/),
    });
    expect(await logged()).toEqual([
      [1, { loss: 2.5, attempt: 1 }],
      [2, { attempt: 2 }],
    ]);
  });

  it('replaces the one before, and leaves nothing else', async () => {
    const { out, make, logged } = await world();
    make(series([2.5]));
    make(series([2.5, 1]));
    expect(await logged()).toHaveLength(2);
    expect(await readdir(out)).toEqual(['offline-run-r-grpo']);
  });

  it('that is killed on its way leaves the one before whole, and the next try makes it', async () => {
    const { make, logged } = await world();
    make(series([2.5]));
    expect(make(series([2.5, 1]), { DIE_AT: '2' }).signal).toBe('SIGKILL');
    expect(await logged()).toHaveLength(1);
    expect(make(series([2.5, 1])).status).toBe(0);
    expect(await logged()).toHaveLength(2);
  });

  it('is refused for what is no series, in one line', async () => {
    const { make } = await world();
    const said = make('no run');
    expect(said.status).toBe(1);
    expect(said.stderr).toBe('stdin: expected what `critic metrics RUN STAGE --json` prints\n');
  });
});
