"""DeepSpeed: where it is installed, what it is told, and whether a checkpoint of several ranks is whole.

It is not in the environment itself, since transformers, accelerate and TRL load it wherever they find it. It lies in a
folder beside, `<environment>/deepspeed` (trainer/environments/deepspeed.txt), which only jobs that ask for it see.
"""

import importlib.metadata
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.failures import BadConfigurationError
from critic_trainer.files import write_json

VERSION = "0.19.8"
"""Older ones load garbage now and then under ZeRO-3 on gloo. In artifact keys through the hash of this file."""
_WORLD = "critic_world.json"


def deepspeed_folder() -> Path:
    """Where this environment has it."""
    return Path(sys.prefix) / "deepspeed"


def installed_deepspeed() -> str | None:
    """Its version there, or anywhere else where it would be found. Loads nothing of it, and changes nothing."""
    found = importlib.metadata.distributions(name="deepspeed", path=[*sys.path, str(deepspeed_folder())])
    return next((one.version for one in found), None)


def find_deepspeed(gpu: bool) -> None:
    """Makes `import deepspeed` work. Raises BadConfigurationError where it is not installed, or in another version."""
    folder = deepspeed_folder()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    os.environ["DS_BUILD_OPS"] = "0"
    if not gpu:
        os.environ["DS_ACCELERATOR"] = "cpu"
    found = installed_deepspeed()
    if found != VERSION:
        raise BadConfigurationError(
            f"sft.deepspeed: expected DeepSpeed {VERSION} in {folder}, got {found or 'none'}: run "
            f"`trainer/environments/install deepspeed {sys.prefix}` (docs/OPERATIONS.md)"
        )


def deepspeed_config(stage: int) -> dict[str, Any]:
    """What DeepSpeed is told; "auto" follows from the trainer's other arguments."""
    zero: dict[str, Any] = {
        "stage": stage,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if stage == 3:
        zero |= {
            "sub_group_size": 1_000_000_000,
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_max_live_parameters": 1_000_000_000,
            "stage3_max_reuse_distance": 1_000_000_000,
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,
        "fp16": {"enabled": False},
        "bf16": {"enabled": "auto"},
        "zero_optimization": zero,
    }


def write_world(path: Path, stage: int, world: int) -> None:
    """Notes in a checkpoint just written how many ranks wrote it."""
    write_json(path / _WORLD, {"schema": 1, "stage": stage, "processes": world})


def world_fault(path: Path, stage: int, world: int) -> str | None:
    """Why `path` is not a whole checkpoint of `world` ranks under ZeRO `stage`, or None."""
    try:
        noted = json.loads((path / _WORLD).read_text(encoding="utf-8"))
        latest = (path / "latest").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
        return f"{_WORLD} or latest cannot be read ({error})"
    if noted.get("processes") != world:
        return (
            f"{noted.get('processes')} processes wrote it and this job has {world}, to which DeepSpeed cannot change: "
            "give the job the nodes and GPUs of the earlier one, or start it from the beginning"
        )
    if noted.get("stage") != stage:
        return f"it is of ZeRO stage {noted.get('stage')}, this job has {stage}: start it from the beginning"
    folder = f"global_step{checkpoint_step(path)}"
    if latest != folder:
        return f'latest names "{latest}" instead of {folder}'
    for file in [path / "scheduler.pt", *_files_of_ranks(path, folder, stage, world)]:
        if not zipfile.is_zipfile(file):
            return f"{file.relative_to(path)} is missing or cut short"
    return None


def _files_of_ranks(path: Path, folder: str, stage: int, world: int) -> list[Path]:
    """Shards and random states that `world` ranks leave."""
    ranks = range(world)
    models = [f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt" for rank in ranks]
    if stage == 2:
        models = ["mp_rank_00_model_states.pt"]
    # In bf16 DeepSpeed's names of these begin so.
    prefix = "bf16_" if any((path / folder).glob("bf16_*_optim_states.pt")) else ""
    states = [f"{prefix}zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in ranks]
    random = ["rng_state.pth"] if world == 1 else [f"rng_state_{rank}.pth" for rank in ranks]
    return [*(path / folder / name for name in [*models, *states]), *(path / name for name in random)]
