"""Weights that come from a trainer: every tensor by name, in the layout of checkpoints, as vLLM's `load_weights`."""

import re
from collections.abc import Iterable

import torch
from transformers import PreTrainedModel


class Weights:
    """A model's weights. `complete`: it has all of them."""

    def __init__(self, model: PreTrainedModel, complete: bool) -> None:
        self._model = model
        self.complete = complete

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the model gives numbers for."""
        return self._model.get_output_embeddings().weight.shape[0]

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Copies all weights in. Raises ValueError for an unknown name, another shape and a missing weight."""
        own = self._model.state_dict()
        loaded = set()
        with torch.no_grad():
            for name, tensor in weights:
                place = self._runtime_name(name)
                if place not in own or own[place].shape != tensor.shape:
                    raise ValueError(f"there is no weight {place} of shape {tuple(tensor.shape)} ({name})")
                own[place].copy_(tensor)
                loaded.add(place)
        missing = own.keys() - loaded - set(self._model._tied_weights_keys or [])
        if missing:
            raise ValueError(f"{len(missing)} weights were not brought, {min(missing)} among them")
        self.complete = True
        return loaded

    def _runtime_name(self, name: str) -> str:
        for pattern, replacement in (getattr(self._model, "_checkpoint_conversion_mapping", None) or {}).items():
            changed, times = re.subn(pattern, replacement, name)
            if times:
                return changed
        return name
