"""All-reduce over all processes of the job: does it add up, and how fast is it?"""

import os
import time
from datetime import timedelta
from typing import Any

from critic_trainer.ranks import Ranks, rendezvous

_MINUTES = 2
_ROUNDS = 5
_MIB_ON_GPU, _MIB_ON_CPU = 256, 8


def reduce_all(ranks: Ranks, gpu: bool) -> dict[str, Any]:
    """`{"backend", "ranks", "gib_s", "error"}`. gib_s: bytes of the tensor over the time of one all-reduce."""
    found = {"backend": "nccl" if gpu else "gloo", "ranks": ranks.world, "gib_s": None, "error": None}
    rendezvous(ranks)
    try:
        import torch
        import torch.distributed as distributed

        if gpu:
            torch.cuda.set_device(ranks.local)
        distributed.init_process_group(found["backend"], timeout=timedelta(minutes=_MINUTES))
        try:
            return found | {"gib_s": round(_measure(ranks, torch.device("cuda" if gpu else "cpu")), 2)}
        finally:
            distributed.destroy_process_group()
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is the finding
        return found | {"error": f"on {os.uname().nodename}: {' '.join(str(error).split())[:300]}"}


def _measure(ranks: Ranks, device: Any) -> float:
    import torch
    import torch.distributed as distributed

    mib = _MIB_ON_GPU if device.type == "cuda" else _MIB_ON_CPU
    tensor = torch.full((mib * 2**18,), float(ranks.rank + 1), device=device)
    distributed.all_reduce(tensor)
    expected = ranks.world * (ranks.world + 1) / 2
    if not bool((tensor == expected).all()):
        raise RuntimeError(f"the sum over {ranks.world} processes is wrong: {tensor[0].item()} instead of {expected}")
    started = time.monotonic()
    for _ in range(_ROUNDS):
        distributed.all_reduce(tensor)
    # Reading a value waits for the device.
    tensor[0].item()
    return mib / 1024 * _ROUNDS / (time.monotonic() - started)
