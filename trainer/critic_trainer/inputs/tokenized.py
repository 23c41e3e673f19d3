"""The tokenised mix: LLaMA-Factory's `tokenized_path` folder, and beside its own files what we promise about it."""

import json
from pathlib import Path

from critic_trainer.failures import BadConfigurationError
from critic_trainer.files import write_json

TOKENS_FILE = "critic_tokens.json"


def describe_tokenized(folder: Path, dataset: Path, lengths: list[int]) -> None:
    """Notes in `folder` what it has, and where the pictures are. `lengths`: tokens of each record."""
    facts = {
        "schema": 1,
        "dataset": str(dataset),
        "records": len(lengths),
        "tokens": sum(lengths),
        "longest": max(lengths),
    }
    write_json(folder / TOKENS_FILE, facts)


def check_tokenized(folder: Path, dataset: Path) -> int:
    """Number of records of a tokenised mix whose pictures are in `dataset`. BadConfigurationError if it is not whole.

    The folder holds absolute paths of pictures, so it fits one place of the store only.
    """
    where = "attempt.json: inputs.tokenized"
    try:
        facts = json.loads((folder / TOKENS_FILE).read_text(encoding="utf-8"))
        state = json.loads((folder / "train" / "state.json").read_text(encoding="utf-8"))
        files = [folder / "train" / file["filename"] for file in state["_data_files"]]
        made_with, records = Path(facts["dataset"]), int(facts["records"])
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError) as error:
        raise BadConfigurationError(f'{where}: expected a tokenised mix, got "{folder}" ({error!r})') from error
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise BadConfigurationError(f"{where}: {folder}: {', '.join(missing) or 'every record'} is missing")
    if made_with != dataset:
        raise BadConfigurationError(
            f'{where}: expected pictures in "{dataset}", got a mix that was tokenised with those in "{made_with}": '
            "remove this artifact from the store, so that it is made again"
        )
    return records
