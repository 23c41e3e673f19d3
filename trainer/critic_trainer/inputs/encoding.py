"""Rows as a model takes them: chat template, images first, padded on the left for generation."""

from typing import Any

from transformers import ProcessorMixin
from transformers.feature_extraction_utils import BatchFeature

from critic_trainer.inputs.images import open_image
from critic_trainer.inputs.rows import PromptRow


def encode(processor: ProcessorMixin, rows: list[PromptRow], prefill: str = "") -> BatchFeature:
    """input_ids and attention_mask (rows, longest prompt), pixel_values and image_grid_thw of all images in order."""
    texts = [prompt_text(processor, row, prefill) for row in rows]
    images = [[open_image(path) for path in row.images] for row in rows]
    return processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt")


def prompt_text(processor: ProcessorMixin, row: PromptRow, prefill: str = "") -> str:
    """The row in the model's chat template, up to where the answer begins, and how it begins (`prefill`)."""
    return processor.apply_chat_template(_messages(row), add_generation_prompt=True, tokenize=False) + prefill


def _messages(row: PromptRow) -> list[dict[str, Any]]:
    """Images first, then the text, as TRL's prepare_multimodal_messages and the SFT mix have them."""
    images = [{"type": "image"} for _ in row.images]
    return [{"role": "user", "content": [*images, {"type": "text", "text": row.prompt}]}]
