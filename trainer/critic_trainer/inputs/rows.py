"""Input rows: prompts and the SFT mix, read with distrust. BadDataError names the file and the line or record."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critic_trainer.failures import BadConfigurationError, BadDataError
from critic_trainer.files import confined

IMAGES_PER_PROMPT = (1, 2)
MIX_DATASET = "critic_mix"
_REMOTE_KEYS = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name", "load_from"}


@dataclass(frozen=True)
class PromptRow:
    """One pair to judge. `images`: source and edited, or only edited (absolute).

    `mos`: mean opinion score, 1 to 5; None where no people have judged the pair.
    """

    id: str
    prompt: str
    images: tuple[Path, ...]
    mos: float | None


def read_prompts(file: Path, dataset: Path, verify: bool = True, judged: bool = True) -> list[PromptRow]:
    """All rows of a prompts file, in order. BadDataError names the first bad line; no file is BadConfigurationError.

    verify: are the pictures read? Of several processes one does it. judged: must each row have a MOS?
    """
    if not file.is_file():
        raise BadConfigurationError(f"attempt.json: inputs.prompts: {file} is not there")
    rows = []
    # Not splitlines(): U+2028 and others may stand unescaped within a JSON string.
    for number, line in enumerate(file.read_text(encoding="utf-8").removesuffix("\n").split("\n"), start=1):
        rows.append(_prompt_row(line, dataset, f"{file}:{number}", verify, judged))
    if not rows:
        raise BadDataError(f"{file}: expected at least one row, got none")
    if len({row.id for row in rows}) < len(rows):
        raise BadDataError(f"{file}: two rows have the same id")
    return rows


def _prompt_row(line: str, dataset: Path, where: str, verify: bool, judged: bool) -> PromptRow:
    try:
        raw = json.loads(line)
    except ValueError as error:
        raise BadDataError(f"{where}: not JSON ({error})") from error
    if not isinstance(raw, dict):
        raise BadDataError(f"{where}: expected an object")
    for name, kind in (("id", str), ("prompt", str), ("images", list)):
        if not isinstance(raw.get(name), kind) or raw.get(name) == "":
            raise BadDataError(f"{where}: {name}: got {json.dumps(raw.get(name))[:80]}")
    mos = _mos(raw, where, judged)
    return PromptRow(raw["id"], raw["prompt"], _images(raw["images"], dataset, where, verify), mos)


def _mos(raw: dict[str, Any], where: str, judged: bool) -> float | None:
    mos = raw.get("mos")
    if mos is None and not judged:
        return None
    if not isinstance(mos, int | float):
        raise BadDataError(f"{where}: mos: got {json.dumps(mos)[:80]}")
    if not math.isfinite(mos) or not 1 <= mos <= 5:
        raise BadDataError(f"{where}: mos: expected 1 to 5, got {mos}")
    return float(mos)


def _images(given: list[Any], dataset: Path, where: str, verify: bool = True) -> tuple[Path, ...]:
    if len(given) not in IMAGES_PER_PROMPT or not all(isinstance(image, str) for image in given):
        raise BadDataError(f"{where}: images: expected one or two paths, got {json.dumps(given)[:200]}")
    paths = tuple(confined(dataset, image, where) for image in given)
    for path in paths if verify else ():
        _check_image(path, where)
    return paths


def _check_image(path: Path, where: str) -> None:
    """Reads the header, and for PNG the checksums of all chunks, without decoding pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.verify()
    except (UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadDataError(f"{where}: {path} is not a readable image ({error})") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise BadDataError(f"{where}: {path} is not a readable image ({error})") from error


def check_mix(mix: Path, dataset: Path) -> int:
    """Checks the SFT mix (sharegpt form) and returns its number of records.

    dataset_info.json must describe `critic_mix` as a local file of this folder: LLaMA-Factory would otherwise download
    or run what it names.
    """
    info = _read_json(mix / "dataset_info.json").get(MIX_DATASET)
    if not isinstance(info, dict):
        raise BadDataError(f'{mix / "dataset_info.json"}: has no "{MIX_DATASET}"')
    name = info.get("file_name")
    if not isinstance(name, str) or Path(name).name != name or _REMOTE_KEYS & info.keys():
        raise BadDataError(
            f"{mix / 'dataset_info.json'}: {MIX_DATASET}: expected a file_name in this folder, nothing remote"
        )
    records = _read_json(mix / name)
    if not isinstance(records, list) or not records:
        raise BadDataError(f"{mix / name}: expected a list of records")
    for index, record in enumerate(records):
        _check_record(record, dataset, f"{mix / name} record {index}")
    return len(records)


def _check_record(record: Any, dataset: Path, where: str) -> None:
    try:
        user, assistant = record["messages"]
        roles = (user["role"], assistant["role"])
        contents = [user["content"], assistant["content"]]
        images = record["images"]
    except (TypeError, KeyError, ValueError) as error:
        raise BadDataError(f"{where}: expected messages of a user and an assistant, and images ({error!r})") from error
    if roles != ("user", "assistant") or not all(isinstance(text, str) and text for text in contents):
        raise BadDataError(f"{where}: expected a user's and an assistant's text, got roles {roles}")
    if not isinstance(images, list) or contents[0].count("<image>") != len(images) or "<image>" in contents[1]:
        raise BadDataError(f"{where}: expected one <image> mark in the user's text for each of its images")
    _images(images, dataset, where)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadConfigurationError(f"attempt.json: inputs.mix: {path} is not there") from error
    except ValueError as error:
        raise BadDataError(f"{path}: not JSON ({error})") from error
