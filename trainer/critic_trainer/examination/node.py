"""One node: its GPUs and driver, what each environment can import, the speed of the store, the model's files."""

import json
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

_PROBE_MIB = 256
_QUERY = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
_IMPORT_SECONDS = 300


def look_at_node(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
    """All findings of this node. `directory` lies in the store. What cannot be found out is the `error` of its part."""
    return {
        "host": os.environ.get("SLURMD_NODENAME", os.uname().nodename),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "shm_mib": shutil.disk_usage("/dev/shm").free // 2**20,  # noqa: S108 - asked for its size
        "gpus": _gpus(),
        "environments": [_environment(each) for each in request["environments"]],
        "store": _store(directory),
        "model": None if request["model"] is None else _model(Path(request["model"])),
    }


def _gpus() -> dict[str, Any]:
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - constant
        rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
        found = [{"name": name, "memory_mib": int(memory)} for name, memory, _ in rows]
        return {"found": found, "driver": rows[0][2] if rows else None, "error": None}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {"found": [], "driver": None, "error": _words(error)}


def _environment(environment: dict[str, Any]) -> dict[str, Any]:
    """Imports what the engines compute with, in their own interpreter."""
    names = environment["engines"]
    command = [environment["python"], "-P", "-m", "critic_trainer.engines", "import", *names]
    image = environment["image"]
    if image is not None:
        command = ["apptainer", "exec", "--nv", "--bind", ",".join(image["binds"]), image["path"], *command]
    started = time.monotonic()
    found = {"engines": names, "python": environment["python"], "error": None}
    try:
        # The worker's config names the program.
        done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_SECONDS, check=False)  # noqa: S603
        if done.returncode != 0:
            found["error"] = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1][:300]
        else:
            faults = json.loads(done.stdout.splitlines()[-1])["faults"]
            found["error"] = "; ".join(f"{name}: {why}" for name, why in faults.items())[:300] or None
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        found["error"] = _words(error)
    return found | {"seconds": round(time.monotonic() - started, 1)}


def _store(directory: Path) -> dict[str, Any]:
    """Writes and reads back 256 MiB, past the page cache where the file system lets it. MiB/s; free space in MiB."""
    probe = directory / f"probe-{os.uname().nodename}-{os.getpid()}"
    block = os.urandom(2**20)
    try:
        started = time.monotonic()
        with probe.open("wb", buffering=0) as file:
            for _ in range(_PROBE_MIB):
                file.write(block)
            os.fsync(file.fileno())
        written = time.monotonic()
        with probe.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            restarted = time.monotonic()
            whole = sum(len(part) for part in iter(lambda: file.read(2**20), b"")) == _PROBE_MIB * 2**20
        ended = time.monotonic()
        return {
            "write_mib_s": round(_PROBE_MIB / max(written - started, 1e-6)),
            "read_mib_s": round(_PROBE_MIB / max(ended - restarted, 1e-6)),
            "free_mib": shutil.disk_usage(directory).free // 2**20,
            "error": None if whole else "less was read than was written",
        }
    except OSError as error:
        return {"write_mib_s": 0, "read_mib_s": 0, "free_mib": 0, "error": _words(error)}
    finally:
        probe.unlink(missing_ok=True)


def _model(folder: Path) -> dict[str, Any]:
    """Reads the settings and the head of each file of weights, which says how long the file must be."""
    found: dict[str, Any] = {"path": str(folder), "files": 0, "mib": 0, "error": None}
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = sorted(folder.glob("*.safetensors"))
        for path in weights:
            _check_weights(path)
        size = sum(path.stat().st_size for path in weights) // 2**20
        return found | {"files": len(weights), "mib": size, "error": None if weights else "no *.safetensors"}
    except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
        return found | {"error": _words(error)}


def _check_weights(path: Path) -> None:
    """Format: 8 bytes with the header's length, the header in JSON with each tensor's end, then the tensors."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > 100 * 2**20:
            raise ValueError(f"{path}: no safetensors")
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    size = 8 + length + max(ends, default=0)
    if path.stat().st_size != size:
        raise ValueError(f"{path}: expected {size} bytes, got {path.stat().st_size}")


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
