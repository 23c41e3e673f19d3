"""The two generations of EasyR1, which is no package of PyPI, and the table of keys of each.

`current`: github.com/hiyouga/EasyR1@b44b311. `authors`: github.com/Coobiw/IE-Critic-R1@357c239, which made the paper's
critic. Both are Python packages called `verl`. Neither takes the other's keys. Loads the standard library alone.
"""

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from critic_trainer.failures import BadConfigurationError

_KEYS = {
    "train_files": "data.train_files",
    "validation_files": "data.val_files",
    "prompt_key": "data.prompt_key",
    "answer_key": "data.answer_key",
    "image_key": "data.image_key",
    "prompt_length": "data.max_prompt_length",
    "completion_length": "data.max_response_length",
    "prompts_per_step": "data.rollout_batch_size",
    "validation_batch": "data.val_batch_size",
    "prompt_file": "data.format_prompt",
    "shuffle": "data.shuffle",
    "data_seed": "data.seed",
    "smallest": "data.min_pixels",
    "largest": "data.max_pixels",
    "filter": "data.filter_overlong_prompts",
    "estimator": "algorithm.adv_estimator",
    "without_kl": "algorithm.disable_kl",
    "kl_loss": "algorithm.use_kl_loss",
    "kl_kind": "algorithm.kl_penalty",
    "kl_weight": "algorithm.kl_coef",
    "prompts_per_update": "worker.actor.global_batch_size",
    "micro_batch": "worker.actor.micro_batch_size_per_device_for_update",
    "epsilon": "worker.actor.clip_ratio_low",
    "epsilon_high": "worker.actor.clip_ratio_high",
    "model": "worker.actor.model.model_path",
    "foreign_code": "worker.actor.model.trust_remote_code",
    "learning_rate": "worker.actor.optim.lr",
    "generations": "worker.rollout.n",
    "temperature": "worker.rollout.temperature",
    "top_p": "worker.rollout.top_p",
    "top_k": "worker.rollout.top_k",
    "rollout_seed": "worker.rollout.seed",
    "images": "worker.rollout.limit_images",
    "memory": "worker.rollout.gpu_memory_utilization",
    "tensor_parallel": "worker.rollout.tensor_parallel_size",
    "reward_file": "worker.reward.reward_function",
    "reward_arguments": "worker.reward.reward_function_kwargs",
    "epochs": "trainer.total_epochs",
    "steps": "trainer.max_steps",
    "project": "trainer.project_name",
    "experiment": "trainer.experiment_name",
    "loggers": "trainer.logger",
    "nodes": "trainer.nnodes",
    "processes_per_node": "trainer.n_gpus_per_node",
    "validate_steps": "trainer.val_freq",
    "validate_first": "trainer.val_before_train",
    "validate_only": "trainer.val_only",
    "save_steps": "trainer.save_freq",
    "save_limit": "trainer.save_limit",
    "saved": "trainer.save_checkpoint_path",
    "resume_from": "trainer.load_checkpoint_path",
}
_CURRENT_ONLY = {
    "image_folder": "data.image_dir",
    "search": "trainer.find_last_checkpoint",
    "weights_only": "trainer.save_model_only",
    "quiet": "worker.rollout.disable_tqdm",
}
_AUTHORS_NAMES = {
    "reward_file": "worker.reward.score_function",
    "reward_arguments": "worker.reward.score_function_kwargs",
    "epochs": "trainer.total_episodes",
    "reward_kind": "worker.reward.reward_type",
    # It reads a template from the working folder, and goes on without one that is not there.
    "think_template": "worker.rollout.force_think_template",
}


@dataclass(frozen=True)
class Generation:
    """What differs between the generations, beside how the trainer behaves."""

    name: str
    version: str
    """How `verl.__version__` begins."""
    keys: dict[str, str]
    """Our name of a setting to the trainer's dotted key. A setting that is not here does not exist there."""
    tracker: str
    """The file that names the newest checkpoint's step."""
    log: str
    loggers: tuple[str, ...]
    embeds_images: bool
    """Images lie in the data files, which are parquet. Else they are read from the dataset's folder."""


CURRENT = Generation(
    name="current",
    version="0.3.3",
    keys=_KEYS | _CURRENT_ONLY,
    tracker="checkpoint_tracker.json",
    log="experiment_log.jsonl",
    loggers=("file",),
    embeds_images=False,
)
AUTHORS = Generation(
    name="authors",
    version="0.3.0",
    keys=_KEYS | _AUTHORS_NAMES,
    tracker="latest_global_step.txt",
    log="experiment_log.jsonl",
    # It has no logger of files. recorder.py stands in for MLflow.
    loggers=("mlflow",),
    embeds_images=True,
)


def source_folder() -> Path:
    """The folder of the package `verl` in this environment. Nothing of it is run. Raises ImportError."""
    found = importlib.util.find_spec("verl")
    if found is None or found.origin is None:
        raise ImportError("verl is not importable (of a checkout of EasyR1)")
    return Path(found.origin).parent


def installed_generation() -> Generation:
    """The generation in this environment. Raises BadConfigurationError where it is another one, or none."""
    try:
        text = (source_folder() / "__init__.py").read_text(encoding="utf-8")
    except ImportError as error:
        raise BadConfigurationError(f"grpo.engine: {error}: install EasyR1 (docs/OPERATIONS.md)") from error
    match = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    version = "unknown" if match is None else match[1]
    for generation in (CURRENT, AUTHORS):
        if version.startswith(generation.version):
            return generation
    raise BadConfigurationError(
        f"grpo.engine: easyr1 is EasyR1 {CURRENT.version} or {AUTHORS.version}; the package verl here is {version}"
    )


def merger_script() -> Path:
    """The merger lies in the checkout, beside the package. It makes the model that is published."""
    return source_folder().parent / "scripts" / "model_merger.py"


def source_hash() -> str:
    """12 hex digits over names and texts of the package's files and of the merger: a checkout has no version."""
    folder = source_folder()
    digest = hashlib.sha256()
    for file in [*sorted(folder.rglob("*.py")), *(script for script in [merger_script()] if script.is_file())]:
        text = file.read_bytes()
        digest.update(f"{file.relative_to(folder.parent).as_posix()}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()[:12]
