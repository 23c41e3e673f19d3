"""A Ray cluster of one Slurm job: the first rank starts the head, each further one a worker of it, one on each node.

It is the job's alone: its port, its token and its temporary folder are its own, nothing is stopped by name, and no
process of it outlives the rank that started it (keeper.py). Ray's CPUs only count actors: Slurm holds the processes to
the job's.
"""

import importlib.util
import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

from critic_trainer.engines.ray.processes import adopt_orphans, end_descendants, share_fate
from critic_trainer.engines.ray.temporary import make_temporary
from critic_trainer.failures import TrainerError
from critic_trainer.files import write_json
from critic_trainer.ranks import Ranks

log = logging.getLogger(__name__)
READY_SECONDS = 180
"""How long all nodes together may take. Python and its packages come from a network file system, on each at once."""
_FIRST_PORT, _PORTS = 12_000, 8_000
_KEEPER = "critic_trainer.engines.ray.keeper"
_READY = "ready.json"
_MEGABYTE = 2**20
_STORE_SHARE, _STORE_LEAST, _STORE_MOST = 0.15, 128 * _MEGABYTE, 64 * 1024 * _MEGABYTE


class NotReadyError(TrainerError):
    """Ray did not start on every node in time. Another attempt may have better luck."""

    exit_code = 75


class Cluster:
    """Ray on the nodes of this job, seen from one rank. `folder`: the attempt's, which all ranks share."""

    def __init__(self, folder: Path, ranks: Ranks, processes_per_node: int, gpu: bool) -> None:
        self._folder = folder / "ray"
        self._ranks = ranks
        self._processes = processes_per_node
        self._gpu = gpu
        self._keepers: list[subprocess.Popen[bytes]] = []
        self._node: subprocess.Popen[bytes] | None = None
        self._address = ""

    def start(self, environment: dict[str, str]) -> None:
        """Starts this rank's part. environment: further variables of all that runs on Ray.

        Raises NotReadyError where the head's address does not appear in time.
        """
        adopt_orphans()
        self._until = time.monotonic() + READY_SECONDS
        self._environment = self._variables(environment)
        if self._ranks.first:
            self._folder.mkdir(mode=0o700)
            _write_token(self._folder / "token")
            port, other = free_ports(2)
            self._address = f"{_own_address()}:{port}"
            self._start_node("--head", f"--port={port}", "--include-dashboard=false", *client_server(other))
            write_json(self._folder / "head.json", {"schema": 1, "address": self._address})
        else:
            self._address = self._await_head()
            self._start_node(f"--address={self._address}")

    def await_nodes(self, nodes: int) -> None:
        """Returns once Ray runs on `nodes` nodes. Raises NotReadyError, which names how many there are, in time."""
        command = [sys.executable, "-P", "-m", "critic_trainer.engines.ray.nodes", str(nodes)]
        environment = self._environment | {"RAY_ADDRESS": self._address}
        said = "no answer"
        while (left := self._until - time.monotonic()) > 0:
            self.start_again()
            try:
                done = subprocess.run(  # noqa: S603 - a list
                    command,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=left,
                    preexec_fn=share_fate,
                )
            except subprocess.TimeoutExpired:
                break
            said = (done.stdout.strip().splitlines() or [said])[-1]
            if done.returncode == 0:
                write_json(self._folder / _READY, {"schema": 1, "nodes": nodes})
                return
            time.sleep(0.5)
        raise NotReadyError(f"Ray did not start on {nodes} nodes within {READY_SECONDS} s ({said[:200]})")

    def keep(self, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
        """Starts a program beside the cluster, in `folder`. It ends with this rank, or by `end_kept`."""
        return self._keep("-", command, self._environment | {"RAY_ADDRESS": self._address}, folder)

    @property
    def ready(self) -> bool:
        """Has the first rank found Ray on every node?"""
        return any(entry.name == _READY for entry in self._folder.iterdir())

    @property
    def ended(self) -> bool:
        """Has this node's Ray ended?"""
        return self._node is None or self._node.poll() is not None

    def start_again(self) -> None:
        """Starts this node's Ray anew where it has ended: its own patience with a loaded node is 30 s."""
        if self.ended:
            log.warning("Ray has ended on this node before it was ready: it is started again")
            self._start_node(*self._options)

    def stop(self) -> None:
        """Ends what this rank has started, by its id, and waits for it."""
        for keeper in reversed(self._keepers):
            end_kept(keeper)
        if not end_descendants():
            log.error("processes of Ray are still there after they were killed")

    def _start_node(self, *options: str) -> None:
        self._options = options
        temporary, lock = make_temporary()
        ports = ("node-manager-port", "object-manager-port", "metrics-export-port", "runtime-env-agent-port")
        any_port = [f"--{name}=0" for name in (*ports, "dashboard-agent-listen-port", "dashboard-agent-grpc-port")]
        workers = ["--min-worker-port=0", "--max-worker-port=0"]
        command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        sizes = [f"--num-gpus={self._processes}", f"--num-cpus={_logical_cpus(self._processes)}", *_object_store()]
        places = [f"--temp-dir={temporary / 'r'}", "--log-style=record"]
        command += [*options, *sizes, *places, *any_port, *workers]
        self._node = self._keep(str(temporary), command, self._environment, self._folder, lock)
        os.close(lock)

    def _await_head(self) -> str:
        """The head's address. The folder is listed, since NFS remembers a name that was not there."""
        while time.monotonic() < self._until:
            if self._folder.is_dir() and any(entry.name == "head.json" for entry in self._folder.iterdir()):
                return str(json.loads((self._folder / "head.json").read_text(encoding="utf-8"))["address"])
            time.sleep(0.5)
        raise NotReadyError(f"the first rank did not start Ray within {READY_SECONDS} s")

    def _variables(self, further: dict[str, str]) -> dict[str, str]:
        """Of all processes of Ray. The token itself is in none of them, only where it lies."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        if not self._gpu:
            # A Slurm of pretended GPUs sets it, and Ray would count by it.
            kept.pop("CUDA_VISIBLE_DEVICES", None)
        return kept | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._folder / "token"),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Slurm holds the job to its memory. Ray would look at the whole node's.
            "RAY_memory_monitor_refresh_ms": "0",
            # Ray would start a worker for each of its CPUs, of which there are more than real ones.
            "RAY_prestart_worker_first_driver": "0",
            "RAY_enable_worker_prestart": "0",
            **further,
        }

    def _keep(
        self, temporary: str, command: list[str], environment: dict[str, str], folder: Path, *held: int
    ) -> subprocess.Popen[bytes]:
        keeper = subprocess.Popen(  # noqa: S603 - a list
            [sys.executable, "-P", "-m", _KEEPER, temporary, *command],
            stdin=subprocess.PIPE,
            env=environment,
            cwd=folder,
            pass_fds=held,
        )
        self._keepers.append(keeper)
        return keeper


def end_kept(keeper: subprocess.Popen[bytes]) -> int:
    """Has a keeper end what it keeps, at once. Returns the command's exit code."""
    if keeper.stdin is not None:
        keeper.stdin.close()
    return keeper.wait()


def _write_token(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))


def _own_address() -> str:
    """Where the other nodes reach this one: srun tells, since the first rank runs where it does."""
    return os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1")


def free_ports(count: int) -> list[int]:
    """Ports that follow from the job's id, each the next one that nobody listens on."""
    job = os.environ.get("SLURM_JOB_ID", "0")
    begin = int(job) if job.isdigit() else os.getpid()
    found: list[int] = []
    for step in range(_PORTS):
        port = _FIRST_PORT + (begin * 7 + step) % _PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise NotReadyError(f"no {count} ports are free among {_FIRST_PORT} to {_FIRST_PORT + _PORTS}")


def client_server(port: int) -> list[str]:
    """Where grpc is installed a head also has a server for clients, on port 10001 unless it is told of another.

    It cannot be switched off. A head whose server finds its port taken, by another job's, ends.
    """
    return [] if importlib.util.find_spec("grpc") is None else [f"--ray-client-server-port={port}"]


def _logical_cpus(processes: int) -> int:
    """Enough to place every actor: the trainers have three each, drivers, reward and data actors one each."""
    cpus = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return max(int(cpus) if cpus.isdigit() else 0, 48 + 4 * processes)


def _object_store() -> list[str]:
    """A share of the job's memory, where Slurm tells it. Ray would take 30 % of the node's."""
    megabytes = os.environ.get("SLURM_MEM_PER_NODE", "")
    if not megabytes.isdigit() or int(megabytes) == 0:
        return []
    return [
        f"--object-store-memory={int(min(max(int(megabytes) * _MEGABYTE * _STORE_SHARE, _STORE_LEAST), _STORE_MOST))}"
    ]
