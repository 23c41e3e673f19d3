"""Checking: the settings that jobs would have, by the engines' own parsers, and types that these let through.

Loads the engine, so it costs some ten CPU seconds once. Nothing is written, and no GPU is needed: what depends on one
is switched off for the parser.
"""

import contextlib
import enum
import sys
import types
import typing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import attempt_of
from critic_trainer.engines import engine_for

# A parser answers a wrong value with any of these. ImportError: the value needs a package that is not there.
_REFUSALS = (ValueError, TypeError, KeyError, OSError, ImportError)
_WITHOUT_GPU = {"use_cpu": True, "bf16": False}
_LLAMAFACTORY_GPU_KEYS = {"tf32", "pure_bf16", "fp16", "enable_liger_kernel", "deepspeed", "bf16", "use_cpu"}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}

Fault = dict[str, Any]
"""`field` below the recipe, `value`, `expected`."""


def check_all(request: dict[str, Any]) -> list[Fault]:
    """Faults of the settings of these attempts (as in preview.py), by field, value and expectation."""
    faults = []
    # LLaMA-Factory logs to stdout, where the answer goes.
    with contextlib.redirect_stdout(sys.stderr):
        for entry in request["attempts"]:
            attempt = attempt_of(entry["attempt"], Path(entry["directory"]))
            engine = engine_for(replace(attempt, model=Path(entry["base_model"])))
            if engine.name == "llamafactory":
                faults += _llamafactory_faults(attempt.params.get("llamafactory", {}), engine.settings(gpu=False))
            elif engine.name == "trl":
                faults += _trl_faults(engine.settings(gpu=False))
    return faults


def _llamafactory_faults(extra: dict[str, Any], settings: dict[str, Any]) -> list[Fault]:
    from llamafactory.hparams.parser import _TRAIN_ARGS

    faults = type_faults(extra, _TRAIN_ARGS)
    if "template" in extra:
        from llamafactory.data.template import TEMPLATES

        if extra["template"] not in TEMPLATES:
            faults.append(_fault("template", extra["template"], "a template that LLaMA-Factory knows"))
    if faults:
        return faults
    given = {key: value for key, value in settings.items() if key not in _LLAMAFACTORY_GPU_KEYS} | _WITHOUT_GPU
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
    except _REFUSALS as error:
        return " ".join(str(error).split())[:300]
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


def _trl_faults(settings: dict[str, Any]) -> list[Fault]:
    from trl import GRPOConfig

    try:
        GRPOConfig(**settings | _WITHOUT_GPU)
    except _REFUSALS as error:
        refusal = " ".join(str(error).split())[:300]
        return [{"field": "grpo", "value": "its settings", "expected": f"what TRL's GRPOConfig takes ({refusal})"}]
    return []


def _fault(key: str, value: Any, expected: str) -> Fault:
    return {"field": f"sft.llamafactory.{key}", "value": value, "expected": expected}
