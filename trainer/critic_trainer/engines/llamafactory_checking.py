"""LLaMA-Factory's own parser, and types that it lets through."""

import enum
import types
import typing
from dataclasses import fields
from typing import Any

from critic_trainer.engines.protocol import Fault
from critic_trainer.engines.refusals import REFUSALS, WITHOUT_GPU, words_of

_GPU_KEYS = {"tf32", "pure_bf16", "fp16", "enable_liger_kernel", "deepspeed", "bf16", "use_cpu"}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def llamafactory_faults(extra: dict[str, Any], settings: dict[str, Any]) -> list[Fault]:
    """Faults of `extra`, the recipe's sft.llamafactory; `settings` as they are rendered for a node without a GPU."""
    from llamafactory.hparams.parser import _TRAIN_ARGS

    faults = type_faults(extra, _TRAIN_ARGS)
    if "template" in extra:
        from llamafactory.data.template import TEMPLATES

        if extra["template"] not in TEMPLATES:
            faults.append(_fault("template", extra["template"], "a template that LLaMA-Factory knows"))
    if faults:
        return faults
    given = {key: value for key, value in settings.items() if key not in _GPU_KEYS} | WITHOUT_GPU
    refusal = _llamafactory_refusal(given)
    if refusal is None:
        return []
    for key in extra.keys() & given.keys():
        if _llamafactory_refusal({name: value for name, value in given.items() if name != key}) is None:
            return [_fault(key, extra[key], f"what LLaMA-Factory's parser takes ({refusal})")]
    return [{"field": "sft.llamafactory", "value": extra, "expected": f"what LLaMA-Factory's parser takes ({refusal})"}]


def _llamafactory_refusal(settings: dict[str, Any]) -> str | None:
    from llamafactory.hparams.parser import get_train_args

    try:
        get_train_args(dict(settings))
    except REFUSALS as error:
        return words_of(error)
    return None


def type_faults(extra: dict[str, Any], classes: tuple[type, ...]) -> list[Fault]:
    """Values of another type than their field's. LLaMA-Factory's parser stores whatever it is given."""
    kinds = {}
    for one in classes:
        hints = typing.get_type_hints(one)
        kinds |= {field.name: hints[field.name] for field in fields(one)}
    return [
        _fault(key, value, _expected(kinds[key]))
        for key, value in extra.items()
        if key in kinds and not _fits(value, kinds[key])
    ]


def _fits(value: Any, kind: Any) -> bool:
    """Unions fit where one of theirs does. Lists, mappings and what is unknown are left to the parser."""
    options = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in options)
    if typing.get_origin(kind) is typing.Literal:
        return value in options
    if kind is type(None):
        return value is None
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value in [member.value for member in kind]
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind) if kind in (bool, str) else True


def _expected(kind: Any) -> str:
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(str, options))}"
    if options:
        return " or ".join(_expected(option) for option in options)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}"
    return _NAMES.get(kind, "another value")


def _fault(key: str, value: Any, expected: str) -> Fault:
    return {"field": f"sft.llamafactory.{key}", "value": value, "expected": expected}
