"""The examination of nodes: what a node writes down, with what is wrong among it, and the all-reduce between nodes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from critic_trainer.examination.node import look_at_node

TRAINER = Path(__file__).parent.parent


def write_request(directory: Path, **changes: Any) -> dict[str, Any]:
    environment = {"engines": ["transformers"], "python": sys.executable, "image": None}
    request = {"schema": 1, "gpus_per_node": 0, "model": None, "environments": [environment], **changes}
    (directory / "examination.json").write_text(json.dumps(request))
    return request


def start_rank(directory: Path, rank: int, world: int) -> subprocess.Popen[str]:
    environment = os.environ | {
        "CRITIC_ATTEMPT_DIR": str(directory),
        "PYTHONPATH": str(TRAINER),
        "CRITIC_RANKS_PER_NODE": "1",
        "SLURM_PROCID": str(rank),
        "SLURMD_NODENAME": f"node-{rank}",
        "SLURM_LOCALID": "0",
        "SLURM_NTASKS": str(world),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1",
    }
    command = [sys.executable, "-P", "-m", "critic_trainer"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_two_nodes_say_what_they_have_and_add_up_between_them(tmp_path: Path, model: Path) -> None:
    write_request(tmp_path, model=str(model))
    ranks = [start_rank(tmp_path, rank, 2) for rank in range(2)]
    logs = [rank.communicate(timeout=200)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], logs
    for rank in range(2):
        node = json.loads((tmp_path / f"node-{rank}.json").read_text())
        assert node["host"] == f"node-{rank}"
        assert [each["error"] for each in node["environments"]] == [None]
        assert node["store"]["error"] is None
        assert node["store"]["write_mib_s"] > 0
        assert (node["model"]["files"], node["model"]["error"]) == (1, None)
        assert node["gpus"]["found"] or node["gpus"]["error"]
    found = json.loads((tmp_path / "collective.json").read_text())
    assert (found["backend"], found["ranks"], found["error"]) == ("gloo", 2, None)
    assert found["gib_s"] > 0
    assert not list(tmp_path.glob("probe-*"))


def test_what_is_wrong_on_a_node_is_said_and_ends_nothing(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TRAINER))
    cut = tmp_path / "model"
    cut.mkdir()
    (cut / "config.json").write_text("{}")
    weights = (model / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(weights[:-1])
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no libcudart' >&2; exit 3\n")
    broken.chmod(0o755)
    environments = [
        {"engines": ["trl"], "python": str(broken), "image": None},
        {"engines": ["trl"], "python": "/nowhere/python", "image": None},
        {"engines": ["verl"], "python": sys.executable, "image": None},
    ]
    node = look_at_node(tmp_path, {"model": str(cut), "environments": environments})
    errors = [each["error"] for each in node["environments"]]
    assert errors[0] == "no libcudart"
    assert "No such file" in errors[1]
    assert "verl" in errors[2]
    assert f"expected {len(weights)} bytes, got {len(weights) - 1}" in node["model"]["error"]


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    node = look_at_node(tmp_path / "nowhere", {"model": "/nowhere", "environments": []})
    assert "No such file" in node["store"]["error"]
    assert "No such file" in node["model"]["error"]


@pytest.mark.parametrize("text", ["", "{"])
def test_a_request_that_is_no_json_ends_with_78(tmp_path: Path, text: str) -> None:
    (tmp_path / "examination.json").write_text(text)
    rank = start_rank(tmp_path, 0, 1)
    assert "expected JSON" in rank.communicate(timeout=60)[1]
    assert rank.returncode == 78
