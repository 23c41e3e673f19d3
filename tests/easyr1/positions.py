"""`positions.py SETTINGS`: rows of position ids that the authors' dataset gives a prompt with pictures.

3 (m-RoPE: time, height, width) after `workers.set_up`, as in jobs; 1 where EasyR1 is left alone, which is wrong.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from verl.utils.dataset import RLHFDataset
from verl.utils.tokenizer import get_processor, get_tokenizer

from critic_trainer.engines.easyr1 import workers


def rows(settings: dict[str, Any]) -> int:
    """Of the first prompt, loaded as EasyR1's Runner does."""
    data, model = settings["data"], settings["worker"]["actor"]["model"]["model_path"]
    dataset = RLHFDataset(
        data_path=data["train_files"],
        tokenizer=get_tokenizer(model, use_fast=True),
        processor=get_processor(model, use_fast=True),
        prompt_key=data["prompt_key"],
        answer_key=data["answer_key"],
        image_key=data["image_key"],
        max_prompt_length=data["max_prompt_length"],
        format_prompt=data["format_prompt"],
        min_pixels=data["min_pixels"],
        max_pixels=data["max_pixels"],
        filter_overlong_prompts=False,
    )
    positions = dataset[0]["position_ids"]
    return positions.shape[0] if positions.dim() > 1 else 1


settings = yaml.safe_load(Path(sys.argv[1]).read_text())
alone = rows(settings)
workers.set_up()
sys.stdout.write(json.dumps({"ours": rows(settings), "alone": alone}) + "\n")
