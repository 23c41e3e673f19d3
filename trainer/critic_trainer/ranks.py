"""The processes of one attempt. One alone needs nothing of this; several are started by srun (infra/sbatch/job.sh).

Each process is a rank. Rank 0 alone writes metrics and result.json, and publishes checkpoints and the output. Slurm's
variables say who is who, and where they meet: at the node where the batch script runs, on a port of the job's own.
"""

import contextlib
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from critic_trainer.failures import BUG, BadConfigurationError

COLLECTIVE_MINUTES = 30
"""How long a rank waits for the others before it gives up."""
_ENDED = "first-rank-ended"


@dataclass(frozen=True)
class Ranks:
    """Which process this is, and of how many."""

    rank: int = 0
    local: int = 0
    """Among those of its node: the number of its GPU."""
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0


def this_rank() -> Ranks:
    """From srun's variables where the job script started ranks (CRITIC_RANKS_PER_NODE), else the only one."""
    if "CRITIC_RANKS_PER_NODE" not in os.environ:
        return Ranks()
    names = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS")
    values = [os.environ.get(name, "") for name in names]
    for name, value in zip(names, values, strict=True):
        if not value.isdigit():
            raise BadConfigurationError(f'{name}: expected a whole number from srun, got "{value}"')
    rank, local, world = map(int, values)
    return Ranks(rank, local, world)


def rendezvous(ranks: Ranks) -> None:
    """Sets the variables that tell torch where the ranks meet, and which one this is."""
    job = os.environ.get("SLURM_JOB_ID", "0")
    os.environ.setdefault("MASTER_ADDR", os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1"))
    os.environ.setdefault("MASTER_PORT", str(20_000 + int(job) % 10_000 if job.isdigit() else 20_000))
    os.environ |= {"RANK": str(ranks.rank), "LOCAL_RANK": str(ranks.local), "WORLD_SIZE": str(ranks.world)}


def meet(ranks: Ranks, gpu: bool) -> None:
    """Brings the ranks together, for DeepSpeed. Raises what torch raises when one does not come within half an hour."""
    rendezvous(ranks)
    import deepspeed

    if not gpu:
        # Would be compiled on the node. It only speeds up all-reduce within one.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(
        "nccl" if gpu else "gloo", auto_mpi_discovery=False, timeout=timedelta(minutes=COLLECTIVE_MINUTES)
    )


def any_rank(mine: bool, device: object) -> bool:
    """Is it so on any rank? All ranks ask at the same place, and all get the same answer."""
    import torch

    if not torch.distributed.is_initialized():
        return mine
    flag = torch.tensor([int(mine)], dtype=torch.int32, device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())


def barrier(device: object) -> None:
    """Returns once every rank is here."""
    any_rank(False, device)


def tell_end(directory: Path, ranks: Ranks) -> None:
    """The first of several ranks says that it has done all it will do, whatever came of it."""
    if ranks.first and ranks.world > 1:
        with contextlib.suppress(OSError):
            (directory / _ENDED).touch()


def await_first(directory: Path) -> None:
    """A further rank ends after the first one, which publishes alone: srun kills what runs half a minute after another.

    If the first rank is killed it says nothing, and srun ends this one.
    """
    while not ended_first(directory):
        time.sleep(0.5)


def ended_first(directory: Path) -> bool:
    """Has the first rank said that it has done all it will do?

    The folder is listed, since a name that was asked for before it exists is remembered as absent on NFS.
    """
    return any(entry.name == _ENDED for entry in directory.iterdir())


def leave_verdict(directory: Path, code: int) -> None:
    """Of several ranks, the first that knows why it ends writes its code into claim/verdict, for the job script.

    Nothing for a bug: it may only be the echo of another rank's death, of which srun knows.
    """
    if "CRITIC_RANKS_PER_NODE" not in os.environ or code in (0, BUG):
        return
    with contextlib.suppress(OSError), (directory / "claim" / "verdict").open("x", encoding="ascii") as file:
        file.write(f"{code}\n")
