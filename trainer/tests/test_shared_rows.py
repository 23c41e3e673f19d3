"""Predictions on several processes: the file of one process, whatever happens in between."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import PAIRS, MakeAttempt, lines

from critic_trainer import failures
from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.engines import engine_for
from critic_trainer.engines.predictions.batches import Batches, read_lines, write_lines, write_rows
from critic_trainer.engines.predictions.shared_rows import Gathering, Share
from critic_trainer.inputs.rows import PromptRow
from critic_trainer.ranks import Ranks

HERE = Path(__file__).parent
SMALL: dict[str, Any] = {"batch_size": 2}
FILE = "predictions.jsonl"
Act = tuple[str, int, int, list[str]]

# The first rank begins with batch 0, the second with batch 3.
STOPS_BOTH_IN_THEIR_SECOND: list[Act] = [
    ("await", 0, 2, ["checkpoint-requested"]),
    ("await", 1, 2, ["answered/claims/1"]),
    ("ask", 1, 2, []),
]


def run(*attempts: tuple[Path, int, list[Act]]) -> list[list[int]]:
    """Exit codes of the ranks of each attempt, in a process of their own."""
    return run_in("transformers", *attempts)


def run_in(engine: str, *attempts: tuple[Path, int, list[Act]], path: str = "") -> list[list[int]]:
    """As run, in any engine. path: a further folder to import from."""
    argument = json.dumps([[str(directory), *rest] for directory, *rest in attempts])
    environment = os.environ | {"PYTHONPATH": f"{HERE.parent}:{HERE}:{path}"}
    command = [sys.executable, str(HERE / "predictions_world.py"), engine, argument]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=500, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def file_of(directory: Path) -> bytes:
    return (directory / "output" / FILE).read_bytes()


def indexes(folder: Path) -> list[int]:
    """Of the rows in a checkpoint."""
    return [int(row["id"].removeprefix("p")) for row in lines(folder / FILE)]


def test_rows_have_the_same_answers_at_any_number_of_processes_whatever_is_killed_or_stopped(
    make_attempt: MakeAttempt,
) -> None:
    def make(name: str, processes: int, resume_from: Path | None = None) -> Path:
        params = SMALL if processes == 1 else SMALL | {"processes": processes}
        return make_attempt("predict", name, params=params, resume_from=resume_from)

    one, two, three = make("one", 1), make("two", 2), make("three", 3)
    killed, stopped, failed, asked = make("killed", 2), make("stopped", 2), make("failed", 2), make("asked", 3)
    (asked / "checkpoint-requested").touch()
    kept = {name: folder / "checkpoints" for name, folder in (("killed", killed), ("stopped", stopped))}
    resumed = [
        make("a1", 1, kept["killed"] / "checkpoint-10"),
        make("a2", 3, kept["killed"] / "checkpoint-10"),
        make("a3", 3, kept["stopped"] / "checkpoint-8"),
        make("a4", 2, asked / "checkpoints" / "checkpoint-2"),
    ]
    holds_the_fifth: Act = ("await", 0, 2, ["answered/claims/4"])
    codes = run(
        (one, 1, []),
        (two, 2, []),
        (three, 3, []),
        (killed, 2, [holds_the_fifth, ("await", 1, 2, ["answered/batch-5.jsonl"]), ("kill", 1, 2, [])]),
        (stopped, 2, STOPS_BOTH_IN_THEIR_SECOND),
        (failed, 2, [holds_the_fifth, ("fail", 1, 2, [])]),
        (asked, 3, []),
        *[(folder, processes, []) for folder, processes in zip(resumed, (1, 3, 3, 2), strict=True)],
    )
    assert codes == [
        [failures.OK],
        [failures.OK] * 2,
        [failures.OK] * 3,
        [-9, -9],
        [failures.CHECKPOINTED, failures.OK],
        [failures.BUG, failures.BUG],
        [failures.CHECKPOINTED, failures.OK, failures.OK],
        *[[failures.OK] * processes for processes in (1, 3, 3, 2)],
    ]
    whole = file_of(one)
    assert [row["id"] for row in lines(one / "output" / FILE)] == [f"p{index}" for index in range(PAIRS)]
    assert [file_of(folder) == whole for folder in (two, three, *resumed)] == [True] * 6
    assert indexes(kept["killed"] / "checkpoint-10") == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11]
    assert sorted(path.name for path in kept["stopped"].iterdir())[-1] == "checkpoint-8"
    assert indexes(kept["stopped"] / "checkpoint-8") == [0, 1, 2, 3, 6, 7, 8, 9]
    assert len(list((failed / "checkpoints").iterdir())) > 0
    assert "rank 1 failed: the job's log says why" in (failed / "rank-0.log").read_text()
    assert not any((folder / "answered").exists() for folder in (one, two, three))
    for folder in (one, two, three, *resumed):
        rows = [row["rows"] for row in lines(folder / "metrics.jsonl")]
        assert rows == sorted(set(rows))
        assert rows[-1] == PAIRS
    _finds_what_is_not_of_this_attempt(make_attempt, kept["stopped"] / "checkpoint-8", one.parent)


def _finds_what_is_not_of_this_attempt(make_attempt: MakeAttempt, checkpoint: Path, folder: Path) -> None:
    def fault(name: str, path: Path = checkpoint, **params: Any) -> str | None:
        changes = {"seed": params.pop("seed")} if "seed" in params else {}
        engine = engine_for(read_attempt(make_attempt("predict", f"asked-{name}", params=SMALL | params, **changes)))
        engine.render()
        return engine.checkpoint_fault(path)

    assert fault("same", processes=4) is None
    assert fault("same-2", samples=1) is None
    assert fault("size", batch_size=1) == "it was made with another batch_size"
    assert fault("seed", seed=2) == "it was made with another seed"
    assert fault("two", samples=2, prefill="<think>") == "it was made with another prefill and another samples"
    earlier = folder / "earlier" / "checkpoint-8"
    shutil.copytree(checkpoint, earlier)
    (earlier / "settings.json").unlink()
    assert fault("earlier", earlier) is None, "checkpoints of earlier releases have no settings"
    (earlier / "settings.json").write_text("{")
    assert "its predictions cannot be read" in str(fault("cut-settings", earlier))
    shutil.copy(checkpoint / "settings.json", earlier)
    text = (checkpoint / FILE).read_text().splitlines(keepends=True)
    for name, changed in {
        "reordered": [*text[4:], *text[:4]],
        "halves": [text[0], *text[2:], text[1]],
        "twice": [*text[:6], *text[:2]],
    }.items():
        (earlier / FILE).write_text("".join(changed))
        assert "it is not of these prompts in batches of 2" in str(fault(name, earlier)), name
    (earlier / FILE).write_text("".join(text)[:-20])
    assert "its predictions cannot be read (predictions.jsonl:8" in str(fault("cut", earlier))


def _batches(rows: int = 5, size: int = 2) -> Batches:
    return Batches([PromptRow(f"p{index}", "Why?", (), 3.0) for index in range(rows)], size)


def _lines(*indexes: int) -> list[str]:
    return [json.dumps({"id": f"p{index}"}) for index in indexes]


def test_a_batch_file_that_is_cut_or_of_other_rows_is_not_taken_until_it_is_whole(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, _batches(), 1, {})
    whole = "".join(f"{line}\n" for line in _lines(2, 3))
    for content in ("", whole[:-4], whole[: len(whole) // 2], f"{_lines(2)[0]}\n", f"{_lines(3)[0]}\n{_lines(2)[0]}\n"):
        (tmp_path / "batch-1.jsonl").write_text(content)
        assert not gathering.look(), content
    (tmp_path / ".batch-1.jsonl.0.tmp").write_text(whole)
    assert not gathering.look()
    write_lines(tmp_path / "batch-1.jsonl", _lines(2, 3))
    assert gathering.look()
    assert not gathering.look(), "it is no news any more"
    write_lines(tmp_path / "batch-2.jsonl", _lines(4))
    assert gathering.look()
    assert (gathering.missing, gathering.rows, gathering.merged()) == ([0], 3, _lines(2, 3, 4))


class _Slow:
    """Answers with its rank's name."""

    def answers(self, rows: list[PromptRow], index: int) -> list[dict[str, Any]]:
        return [{"greedy": index, "sampled": row.id} for row in rows]


def test_a_rank_takes_what_others_have_not_begun_and_loads_no_model_for_nothing(tmp_path: Path) -> None:
    batches = _batches(rows=12)
    loaded = []

    def share(rank: int, done: set[int]) -> Share:
        return Share(tmp_path, batches, Ranks(rank, 0, 3), done, lambda: False)

    def load(rank: int) -> Any:
        return lambda: loaded.append(rank) or _Slow()

    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "4").touch()
    seen: list[int] = []
    share(1, {0}).answer(load(1), lambda: seen.append(len(list(tmp_path.glob("batch-*")))))
    assert seen == [1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.glob("batch-*")) == [f"batch-{index}.jsonl" for index in (1, 2, 3, 5)]
    share(2, {0}).answer(load(2), lambda: None)
    assert loaded == [1]
    gathering = Gathering(tmp_path, batches, 3, {0: _lines(0, 1)})
    gathering.look()
    assert (gathering.missing, gathering.alone, gathering.stopped) == ([4], True, False)


def test_two_processes_that_write_one_batch_leave_it_whole(tmp_path: Path) -> None:
    begun = threading.Barrier(2)

    def write() -> None:
        begun.wait()
        for _ in range(50):
            write_lines(tmp_path / "batch-0.jsonl", _lines(0, 1))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write), pool.submit(write)]:
            done.result()
    assert [path.name for path in tmp_path.iterdir()] == ["batch-0.jsonl"]
    assert read_lines(tmp_path / "batch-0.jsonl") == (["p0", "p1"], _lines(0, 1))


def test_an_answer_whose_file_never_shows_is_tried_again_and_the_others_are_kept(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from critic_trainer.__main__ import run_attempt
    from critic_trainer.engines.predictions import engine
    from critic_trainer.engines.transformers import Transformers

    monkeypatch.setattr(engine, "LATE_SECONDS", 0)
    monkeypatch.setattr(Transformers, "load", lambda _: _Slow())
    directory = make_attempt("predict", params=SMALL)
    (directory / "answered" / "claims").mkdir(parents=True)
    (directory / "answered" / "claims" / "3").touch()
    assert run_attempt(directory) == failures.TRY_AGAIN
    assert "batches [3] were begun" in caplog.messages[-1]
    assert indexes(directory / "checkpoints" / "checkpoint-10") == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]


def test_a_checkpoint_of_everything_needs_no_answer_any_more(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from critic_trainer.__main__ import run_attempt
    from critic_trainer.engines.transformers import Transformers

    monkeypatch.setattr(Transformers, "load", lambda _: pytest.fail("a model is loaded"))
    checkpoint = tmp_path / f"checkpoint-{PAIRS}"
    write_rows(checkpoint, _lines(*range(PAIRS)))
    directory = make_attempt("predict", params=SMALL, resume_from=checkpoint)
    assert run_attempt(directory) == failures.OK
    assert (directory / "output" / FILE).read_text() == (checkpoint / FILE).read_text()
