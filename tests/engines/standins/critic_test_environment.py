"""Loaded by each Python of the test environment (its .pth file): has verl load the stand-in where there is no GPU."""

import os
from pathlib import Path

if not Path("/proc/driver/nvidia/version").exists():
    os.environ.setdefault("VERL_USE_EXTERNAL_MODULES", "critic_cpu_verl")
    os.environ.setdefault("VERL_PLATFORM", "cpu")
    # verl knows its FSDP engine only as CUDA's.
    os.environ.setdefault("VERL_ENGINE_DEVICE", "cuda")
