"""Not vLLM. A stand-in of our own for tests on machines without a GPU: Hugging Face's `generate` behind vLLM's names.

What runs on it is "not tested on vLLM". It refuses to load where CUDA is present (README.md says what it stands for).
"""

from pathlib import Path

__version__ = "0.0.0+standin"

if Path("/proc/driver/nvidia/version").exists():
    raise ImportError("this is the stand-in for vLLM (tests/easyr1/standins), and here is a GPU: install vLLM itself")

from vllm.llm import LLM
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling import SamplingParams

__all__ = ["LLM", "CompletionOutput", "RequestOutput", "SamplingParams"]
