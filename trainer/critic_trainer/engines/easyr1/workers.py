"""What happens in each of Ray's worker processes before EasyR1's code, in the authors' generation alone.

Its dataset gives pictures their positions (m-RoPE) only if the image processor's class is called exactly
Qwen2VLImageProcessor. It asks for a fast one, which transformers calls Qwen2VLImageProcessorFast: positions would be
wrong without a word. Here every image processor is the slow one, and another one is an error.

Ray is told so through $RAY_RUNTIME_ENV_HOOK, which names `add_setup`: EasyR1's own `ray.init` stays as it is.
"""

import sys
from typing import Any

from critic_trainer.engines.easyr1 import recorder

HOOK = "critic_trainer.engines.easyr1.workers.add_setup"
_SETUP = "critic_trainer.engines.easyr1.workers.set_up"
_EXPECTED = "Qwen2VLImageProcessor"


def add_setup(runtime_env: dict[str, Any] | None) -> dict[str, Any]:
    """The runtime environment of a Ray job, with `set_up` in each worker process."""
    return {**(runtime_env or {}), "worker_process_setup_hook": _SETUP}


def set_up() -> None:
    """Puts the recorder in MLflow's place, and has every image processor be a slow one."""
    sys.modules["mlflow"] = recorder
    from transformers import AutoImageProcessor, AutoProcessor

    load = AutoProcessor.from_pretrained

    def with_slow_images(path: str, *args: Any, **kwargs: Any) -> Any:
        processor = load(path, *args, **kwargs)
        # The tokenizer stays the fast one, as EasyR1 loads it elsewhere.
        processor.image_processor = AutoImageProcessor.from_pretrained(path, use_fast=False)
        check_processor(processor)
        return processor

    AutoProcessor.from_pretrained = with_slow_images


def check_processor(processor: Any) -> None:
    """Raises RuntimeError for an image processor that the authors' dataset would not know."""
    found = type(getattr(processor, "image_processor", None)).__name__
    if found != _EXPECTED:
        raise RuntimeError(f"expected the image processor {_EXPECTED}, got {found}: positions would be wrong")
