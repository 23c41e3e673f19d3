"""Prompts as vLLM takes them: text or token ids with one mark an image, which it widens itself."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Inputs:
    """`token_ids`: the prompt with its images' tokens. `tensors`: what the model's `generate` takes, batch 1."""

    text: str | None
    token_ids: list[int]
    tensors: dict[str, torch.Tensor]


class PromptReader:
    """Reads prompts for a processor of the Qwen2-VL family."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._image = processor.tokenizer.convert_tokens_to_ids(processor.image_token)

    def read(self, prompt: Any, limits: dict[str, int]) -> Inputs:
        """The model's inputs. Raises ValueError where images and marks differ in number, or exceed the limit."""
        given = {"prompt": prompt} if isinstance(prompt, str) else dict(prompt)
        images = self._images(given.pop("multi_modal_data", None), limits)
        given.pop("multi_modal_uuids", None)
        text = given.pop("prompt", None)
        ids = given.pop("prompt_token_ids", None)
        if given or (text is None) == (ids is None):
            raise ValueError(f"a prompt has text or token ids, and images; here: {sorted(dict(prompt))}")
        if ids is None:
            ids = self._processor.tokenizer.encode(text, add_special_tokens=False)
        tensors: dict[str, torch.Tensor] = {}
        sizes: list[int] = []
        if images:
            seen = self._processor.image_processor(images=images, return_tensors="pt")
            tensors = {name: seen[name] for name in ("pixel_values", "image_grid_thw")}
            merged = self._processor.image_processor.merge_size**2
            sizes = [int(grid.prod()) // merged for grid in tensors["image_grid_thw"]]
        widened = self._widened(list(ids), sizes)
        tensors["input_ids"] = torch.tensor([widened])
        tensors["attention_mask"] = torch.ones_like(tensors["input_ids"])
        return Inputs(text, widened, tensors)

    def _images(self, data: dict[str, Any] | None, limits: dict[str, int]) -> list[Any]:
        other = set(data or {}) - {"image"}
        if other:
            raise NotImplementedError(f"the stand-in for vLLM knows images alone, got {sorted(other)}")
        found = (data or {}).get("image", [])
        images = list(found) if isinstance(found, list | tuple) else [found]
        if len(images) > limits.get("image", len(images)):
            raise ValueError(f"at most {limits['image']} image(s) may be provided in one prompt, got {len(images)}")
        return images

    def _widened(self, ids: list[int], sizes: list[int]) -> list[int]:
        marks = ids.count(self._image)
        if marks != len(sizes):
            raise ValueError(f"the prompt has {marks} image marks and {len(sizes)} images")
        left = iter(sizes)
        return [token for one in ids for token in ([one] * next(left) if one == self._image else [one])]
