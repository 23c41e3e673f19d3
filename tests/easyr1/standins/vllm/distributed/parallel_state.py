"""A tensor-parallel group of one: this process."""

from types import SimpleNamespace

import torch


def get_tensor_model_parallel_world_size() -> int:
    """Always 1."""
    return 1


def get_tensor_model_parallel_rank() -> int:
    """Always 0."""
    return 0


def get_tensor_model_parallel_group() -> SimpleNamespace:
    """Its `device_group`: this process alone. Every rank must ask, as making groups is collective."""
    alone = [torch.distributed.new_group([rank]) for rank in range(torch.distributed.get_world_size())]
    return SimpleNamespace(device_group=alone[torch.distributed.get_rank()])
