"""Preview: the settings that jobs would have, before anything of them exists but the base model. Loads no torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import attempt_of
from critic_trainer.engines import engine_for


def render_all(request: dict[str, Any]) -> list[dict[str, Any]]:
    """`{"stage", "file", "settings"}` of each attempt whose engine has settings of its own.

    `request["attempts"]` holds `{"attempt": attempt.json, "directory", "base_model", "gpu"}`. `base_model` is a folder
    that stands: pixel limits are read there, since the attempt's model may not be copied or trained yet.
    Raises BadConfigurationError.
    """
    return [found for entry in request["attempts"] if (found := _render(entry)) is not None]


def _render(entry: dict[str, Any]) -> dict[str, Any] | None:
    attempt = attempt_of(entry["attempt"], Path(entry["directory"]))
    engine = engine_for(replace(attempt, model=Path(entry["base_model"])))
    if engine.settings_file is None:
        return None
    settings = engine.settings(entry["gpu"])
    if "model_name_or_path" in settings:
        settings["model_name_or_path"] = str(attempt.model)
    return {"stage": entry["attempt"]["stage"], "file": engine.settings_file, "settings": settings}
