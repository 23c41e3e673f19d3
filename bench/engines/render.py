"""Has the engine of an attempt write what its driver reads, as the first rank of our job does: `render.py ATTEMPT`."""

import sys
from pathlib import Path

from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.engines import engine_for

attempt = read_attempt(Path(sys.argv[1]))
attempt.work.mkdir()
engine_for(attempt).render()
