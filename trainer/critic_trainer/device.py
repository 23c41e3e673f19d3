"""The device of this process and its threads. One process, one device; several processes are in ranks.py."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from critic_trainer.failures import BadConfigurationError


def has_gpu() -> bool:
    """Is there an NVIDIA GPU for this process? Asks the driver and the environment, so that torch need not be imported.

    The driver first: a Slurm of pretended GPUs (the local stack) sets CUDA_VISIBLE_DEVICES where there is none.
    """
    if not Path("/proc/driver/nvidia/version").exists():
        return False
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1", "NoDevFiles")


def own_gpu(local: int) -> None:
    """Leaves this process one of its job's GPUs on this node, by the process's number there. Before torch is imported.

    Raises BadConfigurationError if the job has fewer GPUs than processes: two would share one's memory.
    """
    if not has_gpu():
        return
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = [str(local)] if shown is None else shown.split(",")
    number = 0 if shown is None else local
    if number >= len(gpus):
        raise BadConfigurationError(f"process {local} of this node has no GPU: CUDA_VISIBLE_DEVICES is {shown}")
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number]


def check_ranks(wanted: int | None, world: int) -> None:
    """Raises BadConfigurationError where nodes or processes would idle, and nobody would notice.

    wanted: processes that the work is meant for; None: an engine of one process.
    """
    if wanted is not None:
        if wanted != world:
            raise BadConfigurationError(f"attempt.json: params.processes: {wanted} expected, srun started {world}")
        return
    nodes = os.environ.get("SLURM_JOB_NUM_NODES", "1")
    if nodes != "1":
        raise BadConfigurationError(f"resources.nodes: this trainer runs on one node, got {nodes}")


def prepare_environment(threads: int, caches: Path) -> None:
    """Sets threads and offline mode. Before torch is imported: OpenMP reads its variables once."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ |= {
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "warning",
        "HF_HOME": str(caches / "huggingface"),
        "TRITON_CACHE_DIR": str(caches / "triton"),
        "VLLM_CACHE_ROOT": str(caches / "vllm"),
        "MPLCONFIGDIR": str(caches / "matplotlib"),
    }
    # Nothing here is compiled, and a job's node need not have a compiler.
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")


def prepare_torch(threads: int) -> None:
    """Threads of torch itself, and denormals to zero: tiny numbers cost hundreds of cycles each on a CPU."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Imports of torch, transformers, TRL and LLaMA-Factory without garbage collection: about 2 of 15 to 20 CPU s less.

    They make millions of objects that all stay; freezing spares later collections from walking them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
