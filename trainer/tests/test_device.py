"""The GPU of a process."""

import pytest

from critic_trainer import device
from critic_trainer.failures import BadConfigurationError


@pytest.mark.parametrize(
    ("shown", "local", "left"), [("4,5,7", 2, "7"), ("GPU-a,GPU-b", 0, "GPU-a"), (None, 3, "3"), ("6", 0, "6")]
)
def test_a_process_has_the_gpu_of_its_number_among_those_of_its_job(
    shown: str | None, local: int, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_gpu", lambda: True)
    if shown is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    device.own_gpu(local)
    assert device.os.environ["CUDA_VISIBLE_DEVICES"] == left


def test_a_process_without_a_gpu_of_its_own_does_not_take_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_gpu", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(BadConfigurationError, match="process 2 of this node has no GPU: CUDA_VISIBLE_DEVICES is 0,1"):
        device.own_gpu(2)


def test_where_there_is_no_gpu_the_environment_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_gpu", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    device.own_gpu(1)
    assert device.os.environ["CUDA_VISIBLE_DEVICES"] == "0"
