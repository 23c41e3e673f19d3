"""What of vLLM's distributed package EasyR1's workers use. Loading it makes this process do without CUDA (without_cuda.py)."""

from vllm.without_cuda import replace_cuda

replace_cuda()
