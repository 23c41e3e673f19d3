"""What EasyR1's workers use of vllm.distributed. Loading it makes this process do without CUDA (without_cuda.py)."""

from vllm.without_cuda import replace_cuda

replace_cuda()
