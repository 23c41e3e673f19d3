"""Stand-in for the trainer in bench/handover: the same `sleep` as the bare chain's jobs, and the files that count as done."""

import json
import subprocess
from pathlib import Path

attempt = json.loads(Path("attempt.json").read_text())
subprocess.run(["sleep", str(attempt["params"]["seconds"])], check=True)
output = Path("output")
output.mkdir()
(output / "config.json").write_text("{}")
(output / "predictions.jsonl").write_text("")
result = {"schema": 1, "name": attempt["name"], "kind": attempt["kind"], "steps_planned": 1, "steps_done": 1}
result |= {"first_step": 1, "resumed_from_step": None, "finite": True, "rows": None, "seconds": 1}
Path("result.json").write_text(json.dumps(result))
