"""A tiny random Qwen2.5-VL, a dataset of twelve pairs, and attempts of each kind. Built once a session."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Before anything imports torch.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}

PAIRS = 12
RUN = "demo-20261123-190000"
PROMPT = "Edit: make it red\nReason about alignment, fidelity and quality, then give a score from 1 to 5."
PARAMS: dict[str, dict[str, Any]] = {
    "sft": {
        "batch_size": 4,
        "gradient_accumulation": 1,
        "learning_rate": 1e-3,
        "epochs": 1,
        "warmup_ratio": 0.1,
        "cutoff_len": 512,
        "save_steps": 2,
    },
    "tokenize": {"cutoff_len": 512},
    "grpo": {
        "steps": 4,
        "prompts_per_step": 2,
        "generations": 2,
        "learning_rate": 1e-3,
        "temperature": 1,
        "beta": 0,
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "max_completion_length": 6,
        "save_steps": 2,
        "reward": {"shape": "l1", "format_weight": 1, "floor": 0.05},
    },
    "predict": {"split": "test", "batch_size": 4, "max_new_tokens": 6, "sampled_temperature": 1},
}
PLANNED = {
    "sft": {"steps": 6, "rows": None},
    "tokenize": {"steps": None, "rows": 2 * PAIRS},
    "grpo": {"steps": 4, "rows": None},
    "predict": {"steps": None, "rows": PAIRS},
}
ENGINE_NAMES = {"sft": "llamafactory", "tokenize": "llamafactory", "grpo": "trl", "predict": "transformers"}
MakeAttempt = Callable[..., Path]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with dataset/, mix/ and prompts/."""
    from PIL import Image

    root = tmp_path_factory.mktemp("world")
    rng = random.Random(7)
    images, rows = root / "dataset" / "images", []
    images.mkdir(parents=True)
    for index in range(PAIRS):
        names = [f"images/{index}-{side}.png" for side in ("source", "edited")]
        for name in names:
            Image.frombytes("RGB", (56, 56), rng.randbytes(56 * 56 * 3)).save(root / "dataset" / name)
        rows.append({"id": f"p{index}", "prompt": PROMPT, "images": names, "mos": round(rng.uniform(1, 5), 2)})
    (root / "prompts").mkdir()
    for split in ("train", "test"):
        (root / "prompts" / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    records = [
        record(row, think)
        for row in rows
        for think in (f"<think>Fine.</think>\n<answer>{row['mos']}</answer>", str(row["mos"]))
    ]
    (root / "mix").mkdir()
    (root / "mix" / "train.json").write_text(json.dumps(records))
    (root / "mix" / "dataset_info.json").write_text(json.dumps({"critic_mix": DATASET_INFO}))
    return root


DATASET_INFO = {
    "file_name": "train.json",
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "images": "images"},
    "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
}


def record(row: dict[str, Any], answer: str) -> dict[str, Any]:
    """A row in sharegpt form."""
    user = {"role": "user", "content": f"<image><image>{row['prompt']}"}
    return {"messages": [user, {"role": "assistant", "content": answer}], "images": row["images"]}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2.5-VL of the real classes, under a million parameters."""
    import torch

    from critic_trainer.pretrain.architecture import build_model, build_processor

    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    processor = build_processor(
        [PROMPT, "system You are a helpful assistant. user assistant Fine. 1234567890"] * 20, folder
    )
    build_model(processor).save_pretrained(folder)
    return folder


@pytest.fixture
def make_attempt(tmp_path: Path, world: Path, request: pytest.FixtureRequest) -> MakeAttempt:
    """Makes an attempt's folder with its attempt.json; `params` are merged into the kind's, `changes` into the rest."""

    def make(kind: str, name: str = "a1", params: dict[str, Any] | None = None, **changes: Any) -> Path:
        directory = tmp_path / name
        directory.mkdir()
        inputs = {key: str(world / key) for key in ("dataset", "mix" if kind in ("sft", "tokenize") else "prompts")}
        stage = "predict-sft" if kind == "predict" else kind
        attempt = {
            "schema": 1,
            "name": f"critic-{RUN}-{stage}-{name}",
            "run": RUN,
            "stage": stage,
            "attempt": 1,
            "kind": kind,
            "model": str(changes.pop("model", None) or request.getfixturevalue("model")),
            "inputs": inputs,
            "resume_from": None,
            "seed": 1,
            "threads": 1,
            "engine": {"name": ENGINE_NAMES[kind], "versions": changes.pop("versions", {})},
            "planned": PLANNED[kind],
            "params": PARAMS[kind] | (params or {}),
        } | changes
        (directory / "attempt.json").write_text(json.dumps(attempt, default=str, indent=2))
        return directory

    return make


@pytest.fixture
def uneven_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model's answers are all worth 0, which is no gradient: here their letters decide."""
    from critic_trainer.engines.trl import training

    monkeypatch.setattr(training, "accuracy_reward", lambda text, *_: sum(map(ord, text)) % 97 / 97)


def lines(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
