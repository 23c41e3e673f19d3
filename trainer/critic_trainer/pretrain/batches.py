"""Batches of the pre-training: conversations as token ids, labels and image patches, made by a worker process."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch.utils.data import IterableDataset
from transformers import PreTrainedTokenizerFast

from .conversations import PHASES, conversation

_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
IMAGE_TOKENS = 4


def patches(images: list[Image.Image]) -> torch.Tensor:
    """(16 n, 1176) patches of n 56 x 56 pictures, as Qwen2VLImageProcessor makes them (checked by a test)."""
    pixels = np.stack([np.asarray(image, dtype=np.float32) for image in images]) / 255
    pixels = ((pixels - _MEAN) / _STD).transpose(0, 3, 1, 2)
    n = len(images)
    # n, channel, (grid_h/2, 2, 14), (grid_w/2, 2, 14) -> n, grid_h/2, grid_w/2, 2, 2, channel, 14, 14
    cut = pixels.reshape(n, 3, 2, 2, 14, 2, 2, 14).transpose(0, 2, 5, 3, 6, 1, 4, 7)
    twice = np.repeat(cut[:, :, :, :, :, :, None], 2, axis=6)  # a still picture is two equal frames
    return torch.from_numpy(twice.reshape(n * 16, 3 * 2 * 14 * 14).copy())


class Conversations(IterableDataset):
    """Endless batches; batch i depends on the seed and i alone."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, seed: int, batch_size: int, phase: str = "reporting"
    ) -> None:
        self.tokenizer, self.seed, self.batch_size, self.phase = tokenizer, seed, batch_size, phase

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        index = 0
        while True:
            yield self.batch(index)
            index += 1

    def batch(self, index: int) -> dict[str, torch.Tensor]:
        """input_ids, attention_mask, labels (B, L); pixel_values (B * 32, 1176); image_grid_thw (2 B, 3)."""
        rng = np.random.default_rng([self.seed, 2 + PHASES.index(self.phase), index])
        rows, images = [], []
        for _ in range(self.batch_size):
            talk = conversation(rng, self.phase)
            rows.append(self._encode(talk.turns))
            images += [talk.source, talk.edited]
        length = max(len(ids) for ids, _ in rows)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (length - len(row)) for row, _ in rows])
        labels = torch.tensor([row + [-100] * (length - len(row)) for _, row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row, _ in rows])
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": labels,
            "pixel_values": patches(images),
            "image_grid_thw": torch.tensor([[1, 4, 4]] * len(images)),
        }

    def _encode(self, turns: tuple[tuple[str, str], ...]) -> tuple[list[int], list[int]]:
        """Token ids and labels; only the assistant's words (and its end mark) are learnt."""
        picture = "<|vision_start|>" + "<|image_pad|>" * IMAGE_TOKENS + "<|vision_end|>"
        parts = [("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", False)]
        for number, (user, assistant) in enumerate(turns):
            before = picture * 2 if number == 0 else ""
            parts.append((f"<|im_start|>user\n{before}{user}<|im_end|>\n<|im_start|>assistant\n", False))
            parts.append((f"{assistant}<|im_end|>", True))
            parts.append(("\n", False))
        ids, labels = [], []
        for text, learnt in parts:
            tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += tokens
            labels += tokens if learnt else [-100] * len(tokens)
        return ids, labels
