"""What EasyR1 asks of CUDA, answered by the CPU: for tests of its trainer on a machine without a GPU.

Both generations name "cuda" and "nccl" outright. Here "cuda" is the CPU, nccl is gloo, and memory is free without end.
So nothing that depends on a GPU is tested: NCCL, memory, offloading, flash attention, speed.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
import transformers
from tensordict import TensorDictBase
from torch.distributed import device_mesh
from torch.distributed.fsdp import _flat_param, _init_utils
from transformers import modeling_flash_attention_utils

_CPU = torch.device("cpu")
_FREE = 64 * 1024**3


def replace_cuda() -> None:
    """Replaces them in this process. Called once, by `vllm.distributed`."""
    _replace_functions()
    _replace_rng()
    for owner, name in (
        (torch, "tensor"),
        (torch, "empty_like"),
        (torch.Tensor, "to"),
        (device_mesh.DeviceMesh, "__init__"),
        (_flat_param.FlatParamHandle, "flat_param_to"),
    ):
        setattr(owner, name, _without_cuda(getattr(owner, name)))
    TensorDictBase.cuda = lambda self, device=None: self
    torch.distributed.init_process_group = _without_nccl(torch.distributed.init_process_group)
    # FSDP sends rank 0's weights from the GPU only; on gloo they may lie on the CPU.
    _init_utils._check_module_states_for_sync_module_states = lambda states: None
    for auto in ("AutoModelForImageTextToText", "AutoModelForVision2Seq", "AutoModelForCausalLM"):
        for name in ("from_pretrained", "from_config"):
            _without_flash_attention(getattr(transformers, auto, None), name)
    # The authors' trainer imports these, and calls them where it does without padding.
    for name in ("index_first_axis", "pad_input", "unpad_input"):
        if not hasattr(modeling_flash_attention_utils, name):
            setattr(modeling_flash_attention_utils, name, _no_flash_attention)


def _no_flash_attention(*_: Any, **__: Any) -> None:
    raise NotImplementedError("there is no flash attention without a GPU: padding_free is false here")


def _replace_functions() -> None:
    constant: dict[str, Any] = {
        "current_device": _CPU,
        "get_device_name": "CPU instead of CUDA",
        "mem_get_info": (_FREE, _FREE),
        "max_memory_allocated": 0,
        "max_memory_reserved": 0,
        "memory_allocated": 0,
        "memory_reserved": 0,
        "set_device": None,
        "empty_cache": None,
        "synchronize": None,
        "reset_peak_memory_stats": None,
    }
    for name, answer in constant.items():
        setattr(torch.cuda, name, lambda *_, _answer=answer, **__: _answer)


def _replace_rng() -> None:
    torch.cuda.get_rng_state = lambda *_: torch.get_rng_state()
    torch.cuda.set_rng_state = lambda state, *_: torch.set_rng_state(state)
    torch.cuda.manual_seed = torch.default_generator.manual_seed


def _on_cpu(value: Any) -> Any:
    named = isinstance(value, str | torch.device) and str(value).split(":")[0] == "cuda"
    if not named:
        return value
    return "cpu" if isinstance(value, str) else _CPU


def _without_cuda(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_on_cpu, args), **{name: _on_cpu(value) for name, value in kwargs.items()})

    return replaced


def _without_nccl(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def replaced(backend: str | None = None, **kwargs: Any) -> Any:
        return function("gloo" if backend == "nccl" else backend, **kwargs)

    return replaced


def _without_flash_attention(auto: Any, name: str) -> None:
    if auto is None:
        return
    original = getattr(auto, name)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("attn_implementation") == "flash_attention_2":
            kwargs["attn_implementation"] = "sdpa"
        if kwargs.get("device_map") == "cuda":
            kwargs["device_map"] = "cpu"
        return original(*args, **kwargs)

    setattr(auto, name, staticmethod(replaced))
