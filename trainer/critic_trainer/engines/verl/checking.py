"""verl's own configuration, composed by Hydra as its driver does, and types that Hydra lets through. No torch."""

import importlib.util
from pathlib import Path
from typing import Any

from critic_trainer.engines.protocol import Fault
from critic_trainer.engines.refusals import words_of
from critic_trainer.engines.verl.settings import OPEN_KEYS, overrides

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
_NUMBERS = {
    "actor_rollout_ref.actor.entropy_coeff",
    "actor_rollout_ref.rollout.over_sample_rate",
    "actor_rollout_ref.rollout.val_kwargs.temperature",
    "actor_rollout_ref.rollout.val_kwargs.top_p",
}
"""Numbers that may have a fraction, whose default has none."""
_CHOICES = {
    "actor_rollout_ref.actor.strategy": ("fsdp", "fsdp2"),
    "actor_rollout_ref.actor.optim.lr_scheduler_type": ("constant", "cosine"),
    "actor_rollout_ref.actor.loss_agg_mode": (
        "token-mean",
        "seq-mean-token-sum",
        "seq-mean-token-mean",
        "seq-mean-token-sum-norm",
    ),
    "actor_rollout_ref.actor.kl_loss_type": ("kl", "abs", "mse", "low_var_kl", "full", "k1", "k2", "k3"),
    "actor_rollout_ref.rollout.dtype": ("bfloat16", "float16", "float32"),
    "actor_rollout_ref.rollout.load_format": ("dummy", "auto", "safetensors"),
}
"""Words that verl looks at only when it is at work."""


def verl_faults(extra: dict[str, Any], settings: dict[str, Any]) -> list[Fault]:
    """Faults of `extra`, the recipe's own keys, and of all settings together."""
    refusal = _refusal(settings)
    if refusal is not None:
        for key, value in extra.items():
            if _refusal({name: other for name, other in settings.items() if name != key}) is None:
                return [_fault(key, value, f"what verl's configuration takes ({refusal})")]
        return [{"field": "grpo.verl", "value": extra, "expected": f"what verl's configuration takes ({refusal})"}]
    defaults = _composed([])
    return [fault for key, value in extra.items() if (fault := _type_fault(key, value, defaults)) is not None]


def _type_fault(key: str, value: Any, defaults: Any) -> Fault | None:
    from omegaconf import OmegaConf

    if key.startswith(OPEN_KEYS):
        return None
    if key in _CHOICES and value not in _CHOICES[key]:
        return _fault(key, value, f"one of {', '.join(_CHOICES[key])}")
    default = OmegaConf.select(defaults, key, default=None, throw_on_missing=False)
    if OmegaConf.is_config(default):
        return _fault(key, value, "a key below it: it is a section")
    if default is None or _fits(key, value, default):
        return None
    kind = float if key in _NUMBERS else type(default)
    return _fault(key, value, _NAMES.get(kind, "another value"))


def _fits(key: str, value: Any, default: Any) -> bool:
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int) and key not in _NUMBERS:
        return isinstance(value, int)
    if isinstance(default, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _refusal(settings: dict[str, Any]) -> str | None:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        _composed(overrides({key: value for key, value in settings.items() if not key.startswith("hydra.")}))
    except (HydraException, OmegaConfBaseException) as error:
        return words_of(error)
    return None


def _composed(lines: list[str]) -> Any:
    from hydra import compose, initialize_config_dir

    package = importlib.util.find_spec("verl")
    if package is None or package.origin is None:
        raise ImportError("verl is not installed")
    folder = Path(package.origin).parent / "trainer" / "config"
    with initialize_config_dir(str(folder), version_base=None):
        return compose("ppo_trainer", overrides=lines)


def _fault(key: str, value: Any, expected: str) -> Fault:
    return {"field": f"grpo.verl.{key}", "value": value, "expected": expected}
