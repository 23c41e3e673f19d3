"""What the head of a Ray cluster is told, so that two jobs on one node do not meet. Ray itself is not started."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from critic_trainer.engines.ray import cluster
from critic_trainer.engines.ray.cluster import Cluster, free_ports
from critic_trainer.ranks import Ranks


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "1000")


def test_two_jobs_of_one_node_have_four_ports(job: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_ports(2)
    assert first != second
    with socket.socket() as one, socket.socket() as other:
        for taken, port in ((one, first), (other, second)):
            taken.bind(("", port))
            taken.listen()
        assert {first, second}.isdisjoint(free_ports(2))
    monkeypatch.setenv("SLURM_JOB_ID", "1001")
    assert {first, second}.isdisjoint(free_ports(2))


@pytest.mark.parametrize("has_grpc", [True, False])
def test_every_port_of_a_head_is_its_jobs_own(
    has_grpc: bool, job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's own are the same for every head of a node: 6379, and 10001 of a server for clients where grpc is there."""
    monkeypatch.setattr(cluster, "adopt_orphans", lambda: None)
    monkeypatch.setattr(cluster, "make_temporary", lambda: (tmp_path, os.open(tmp_path, os.O_RDONLY)))
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: object() if has_grpc else None)
    commands: list[list[str]] = []

    def keep(_cluster: Cluster, _temporary: str, command: list[str], *_: Any) -> None:
        commands.append(command)

    monkeypatch.setattr(Cluster, "_keep", keep)
    Cluster(tmp_path, Ranks(), 2, gpu=False).start({})
    port, other = free_ports(2)
    [command] = commands
    assert f"--port={port}" in command
    # Without grpc Ray refuses the option.
    assert (f"--ray-client-server-port={other}" in command) == has_grpc
    assert any("client-server" in option for option in command) == has_grpc
