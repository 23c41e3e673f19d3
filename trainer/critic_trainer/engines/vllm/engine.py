"""Prediction by vLLM: one engine in each process, on one GPU.

Promised: which rows are in a batch, and their seeds, are the same at any number of processes. Not promised, since vLLM
does not: that a row's answer is the same in another batch, on another GPU, in another version of vLLM, or in a second
run at all (docs/LIMITS.md).
"""

import json
import os
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.device import has_gpu, own_gpu, prepare_torch, quick_imports
from critic_trainer.engines.predictions.engine import Prediction
from critic_trainer.engines.predictions.shared_rows import Answerer
from critic_trainer.engines.protocol import COMMON_PACKAGES, Fault
from critic_trainer.engines.vllm.checking import vllm_faults
from critic_trainer.inputs.rows import IMAGES_PER_PROMPT

DEFAULT_MEMORY = 0.9
"""The share of the GPU's memory that vLLM takes. Its own default differs between releases."""


class Vllm(Prediction):
    """Predictions on one GPU in each process."""

    name = "vllm"
    packages = (*COMMON_PACKAGES, "vllm")
    settings_file = "vllm.json"

    def render(self) -> None:
        super().render()
        self._settings = self.settings(has_gpu())
        if self.ranks.first:
            text = json.dumps(self._settings, indent=2, sort_keys=True)
            (self.attempt.work / "vllm.json").write_text(f"{text}\n", encoding="utf-8")

    def settings(self, gpu: bool) -> dict[str, Any]:
        return vllm_settings(self.attempt, gpu)

    def faults(self) -> list[Fault]:
        return vllm_faults(self.attempt)

    def load(self) -> Answerer:
        own_gpu(self.ranks.local)
        # In this process: it ends when this ends, and requests are scheduled in the order in which they are given.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        prepare_torch(self.attempt.threads)
        with quick_imports():
            from critic_trainer.engines.predictions.with_vllm import VllmAnswerer

        return VllmAnswerer(self.attempt, self._settings)


def vllm_settings(attempt: Attempt, gpu: bool) -> dict[str, Any]:
    """Arguments of vLLM's `LLM` beside the model."""
    params = attempt.params
    longest = params.get("max_prompt_length")
    return {
        "dtype": "bfloat16" if gpu else "float32",
        "gpu_memory_utilization": params.get("gpu_memory_utilization", DEFAULT_MEMORY),
        # None: what the model can take.
        "max_model_len": None if longest is None else longest + params["max_new_tokens"],
        # Room for videos would be kept free otherwise.
        "limit_mm_per_prompt": {"image": max(IMAGES_PER_PROMPT), "video": 0},
        "seed": attempt.seed,
        # Neither torch.compile nor CUDA graphs, which take their time at each start of each process.
        "enforce_eager": True,
        # Else the model's own would cut the distribution and the answers' length.
        "generation_config": "vllm",
    }
