"""The mix tokenised once, before training: what LLaMA-Factory would do at the start of SFT, in a job without a GPU.

In a training of many processes all but the first wait in a collective until that is done. LLaMA-Factory 0.9.5 loads
such a folder by `tokenized_path` (llamafactory/data/loader.py). Its own command would go on and train after writing it,
so its loader is called here.
"""

import os
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.device import prepare_torch, quick_imports
from critic_trainer.engines.llamafactory import LlamaFactory, data_settings, write_config
from critic_trainer.engines.protocol import Engine, Progress
from critic_trainer.failures import BadDataError
from critic_trainer.files import publish_folder
from critic_trainer.inputs.rows import MIX_DATASET, check_mix
from critic_trainer.inputs.tokenized import describe_tokenized

_UNCUT = 2**24
"""Tokens: no record is cut, so its true length is seen."""
_GPU_KEYS = frozenset({"bf16", "fp16", "pure_bf16", "tf32", "flash_attn", "enable_liger_kernel"})
"""Arguments that LLaMA-Factory's parser refuses on a node without a GPU. None of them touches a token."""


class LlamaFactoryTokenize(Engine):
    """`attempt.threads` processes tokenise. There is no checkpoint: it takes minutes, and begins again."""

    name = LlamaFactory.name
    kind = "tokenize"
    packages = LlamaFactory.packages
    settings_file = LlamaFactory.settings_file

    def render(self) -> None:
        attempt = self.attempt
        self._records = check_mix(attempt.inputs["mix"], attempt.inputs["dataset"])
        self._written = attempt.work / "tokenized"
        self._config = tokenize_config(attempt, self._written)
        write_config(self._config, attempt.work / "llamafactory.yaml")

    def settings(self, gpu: bool) -> dict[str, Any]:
        return tokenize_config(self.attempt, self.attempt.work / "tokenized")

    def checkpoint_fault(self, path: Path) -> str | None:
        return "tokenising has no checkpoints"

    def launch(self, progress: Progress) -> WorkDone:
        # The processes that tokenise inherit it.
        prepare_torch(1)
        os.environ.setdefault("LLAMAFACTORY_VERBOSITY", "WARN")
        with quick_imports():
            from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
            from llamafactory.hparams import get_train_args
            from llamafactory.model import load_tokenizer

        model_args, data_args, training_args, _, _ = get_train_args(self._config)
        loaded = load_tokenizer(model_args)
        template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
        module = get_dataset(template, model_args, data_args, training_args, stage="sft", **loaded)
        lengths = _lengths(module["train_dataset"])
        self._check(lengths)
        describe_tokenized(self._written, self.attempt.inputs["dataset"], lengths)
        progress.metrics.append(1, 1, {"rows": len(lengths)})
        return WorkDone(None, None, None, finite=True, rows=len(lengths), has_model=False)

    def publish(self) -> None:
        publish_folder(self._written, self.attempt.output)

    def _check(self, lengths: list[int]) -> None:
        if len(lengths) != self._records:
            raise BadDataError(
                f"inputs.mix: expected {self._records} tokenised records, got {len(lengths)}: LLaMA-Factory dropped, "
                "packed or set aside the others"
            )
        cutoff, longest = self.attempt.params["cutoff_len"], max(lengths)
        if longest > cutoff:
            raise BadDataError(
                f"sft.cutoff_len: expected at least {longest}, the tokens of record {lengths.index(longest)} of the "
                f"mix, pictures included, got {cutoff}; {sum(length > cutoff for length in lengths)} records are longer"
            )


def tokenize_config(attempt: Attempt, tokenized: Path) -> dict[str, Any]:
    """What LLaMA-Factory is told. Only what determines tokens counts; the rest is what its parser wants."""
    extra = {key: value for key, value in attempt.params.get("llamafactory", {}).items() if key not in _GPU_KEYS}
    return {
        **data_settings(attempt, extra),
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(attempt.model),
        "dataset": MIX_DATASET,
        "dataset_dir": str(attempt.inputs["mix"]),
        "media_dir": str(attempt.inputs["dataset"]),
        "tokenized_path": str(tokenized),
        "output_dir": str(attempt.work / "unused"),
        "overwrite_cache": True,
        "preprocessing_num_workers": attempt.threads,
        "cutoff_len": _UNCUT,
        "report_to": "none",
        "use_cpu": True,
        "seed": attempt.seed,
    }


def _lengths(records: Any) -> list[int]:
    """Tokens of each record, in order. Of a `datasets.Dataset`, without making Python lists of all its tokens."""
    import pyarrow.compute

    return pyarrow.compute.list_value_length(records.data.column("input_ids")).to_pylist()
