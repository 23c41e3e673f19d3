"""Stand-in: verl's plug-in that lets verl 0.9 train on a CPU, with Hugging Face's `generate` in the place of vLLM.

verl's driver, Ray, its FSDP workers and its checkpoints are the real ones. What vLLM does is not tested by it. It comes in through
verl's own plug-in variables (critic_test_environment.py), and it refuses to load where there is CUDA.
"""

import asyncio
import contextlib
import os
import types

import ray
import torch

if torch.cuda.is_available():
    raise ImportError("critic_cpu_verl stands in for vLLM on a CPU, and this machine has CUDA: use vLLM itself")

from verl.plugin.platform import PlatformBase, PlatformRegistry  # noqa: E402
from verl.workers.rollout import base  # noqa: E402
from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry, TokenOutput  # noqa: E402

_GATHER_SECONDS = 0.2
_LARGEST_BATCH = 64


def _device_module() -> types.ModuleType:
    """torch.cpu with what verl asks of torch.cuda. Memory is told as nothing used of one GiB."""
    module = types.ModuleType("critic_cpu_device")
    for name in ("is_available", "device_count", "current_device", "synchronize", "Stream", "stream", "current_stream"):
        setattr(module, name, getattr(torch.cpu, name))
    nothing = ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved")
    for name in nothing:
        setattr(module, name, lambda *_: 0)
    module.mem_get_info = lambda *_: (2**30, 2**30)
    for name in ("empty_cache", "set_device", "ipc_collect", "reset_peak_memory_stats", "manual_seed"):
        setattr(module, name, lambda *_, **__: None)
    module.get_device_name = lambda *_: "CPU"
    module.get_rng_state = torch.get_rng_state
    module.set_rng_state = torch.set_rng_state
    return module


@PlatformRegistry.register(platform="cpu")
class Cpu(PlatformBase):
    """A CPU whose logical GPUs of Ray are processes."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _device_module()

    def is_available(self) -> bool:
        return True

    def current_device(self) -> torch.device:
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        pass

    def synchronize(self, device_index: int | None = None) -> None:
        pass

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        pass

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def nvtx_range(self, msg: str) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None


class Server:
    """Answers of one process: requests that come within a moment are generated together."""

    def __init__(self, model: str, replica: int, answer_length: int, seed: int) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        torch.set_num_threads(1)
        torch.manual_seed(seed + replica)
        self._model = AutoModelForImageTextToText.from_pretrained(
            model, dtype=torch.float32, attn_implementation="sdpa"
        )
        self._model.eval()
        self._processor = AutoProcessor.from_pretrained(model)
        self._answer_length = answer_length
        self._step: int | None = None
        self._waiting: list[tuple[dict, asyncio.Future]] = []
        self._task: asyncio.Task | None = None

    async def load_weights(self, weights: dict[str, torch.Tensor], step: int | None) -> None:
        found = self._model.load_state_dict(weights, strict=False)
        tied = {"lm_head.weight"} if self._model.config.get_text_config().tie_word_embeddings else set()
        if found.unexpected_keys or set(found.missing_keys) - tied:
            raise RuntimeError(f"weights: {found.missing_keys[:3]} missing, {found.unexpected_keys[:3]} unexpected")
        self._step = step

    async def generate(
        self, prompt_ids: list[int], sampling_params: dict, image_data: list | None = None, **_
    ) -> TokenOutput:
        future = asyncio.get_running_loop().create_future()
        request = {"ids": list(prompt_ids), "images": image_data or [], "sampling": sampling_params}
        self._waiting.append((request, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await future

    async def wake_up(self, *_, **__) -> None: ...
    async def sleep(self, *_, **__) -> None: ...
    async def clear_kv_cache(self) -> None: ...

    async def _work(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER_SECONDS)
            temperature = self._waiting[0][0]["sampling"]["temperature"]
            same = [one for one in self._waiting if one[0]["sampling"]["temperature"] == temperature][:_LARGEST_BATCH]
            self._waiting = [one for one in self._waiting if one not in same]
            try:
                outputs = await asyncio.to_thread(self._answers, [request for request, _ in same], temperature)
            except Exception as error:  # noqa: BLE001 - each caller gets it
                for _, future in same:
                    future.set_exception(RuntimeError(repr(error)))
                continue
            for (_, future), output in zip(same, outputs, strict=True):
                future.set_result(output)

    @torch.inference_mode()
    def _answers(self, requests: list[dict], temperature: float) -> list[TokenOutput]:
        tokenizer = self._processor.tokenizer
        width = max(len(request["ids"]) for request in requests)
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(one["ids"])) + one["ids"] for one in requests])
        mask = torch.tensor([[0] * (width - len(one["ids"])) + [1] * len(one["ids"]) for one in requests])
        images = [image for request in requests for image in request["images"]]
        pixels = self._processor.image_processor(images=images, return_tensors="pt") if images else {}
        types_of_tokens = (ids == self._model.config.image_token_id).long()
        sampling = (
            {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
            if temperature
            else {"do_sample": False}
        )
        done = self._model.generate(
            input_ids=ids,
            attention_mask=mask,
            mm_token_type_ids=types_of_tokens,
            **pixels,
            **sampling,
            max_new_tokens=self._answer_length,
            return_dict_in_generate=True,
            output_logits=True,
            pad_token_id=pad,
        )
        logits = torch.stack(done.logits, dim=1) / (temperature or 1.0)
        answers = done.sequences[:, width:]
        chances = logits.float().log_softmax(-1).gather(-1, answers[..., None])[..., 0]
        return [self._output(row, chance) for row, chance in zip(answers.tolist(), chances.tolist(), strict=True)]

    def _output(self, row: list[int], chances: list[float]) -> TokenOutput:
        ends = self._model.generation_config.eos_token_id
        ends = [ends] if isinstance(ends, int) else ends
        length = next((index + 1 for index, token in enumerate(row) if token in ends), len(row))
        return TokenOutput(
            token_ids=row[:length],
            log_probs=chances[:length],
            stop_reason="completed",
            extra_fields={"global_steps": self._step},
        )


class Replica(RolloutReplica):
    """One server beside each worker of the trainer."""

    async def launch_servers(self) -> None:
        node = await self.workers[0].__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())
        self._server_handle = (
            ray.remote(Server)
            .options(
                name=f"vllm_server_{self.replica_rank}_0",
                max_concurrency=1000,
                num_cpus=0,
                scheduling_strategy=ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote(self.model_config.path, self.replica_rank, self.config.response_length, self.config.seed)
        )
        self._server_address = f"stand-in-{self.replica_rank}"
        self.servers = [self._server_handle]


class Adapter(base.BaseRollout):
    """In the trainer's worker: hands its weights to the server beside it."""

    async def resume(self, tags: list[str]) -> None: ...
    async def release(self) -> None: ...

    async def update_weights(self, weights, global_steps: int | None = None, **_) -> None:
        whole = {name: tensor.detach().to("cpu", torch.float32).clone() for name, tensor in weights}
        server = ray.get_actor(f"vllm_server_{int(os.environ['RANK'])}_0")
        await server.load_weights.remote(whole, global_steps)


def _first_of(backend: str) -> str:
    """verl asks for `cpu:gloo,cpu:gloo`, which torch refuses."""
    return "gloo" if set(backend.split(",")) == {"cpu:gloo"} else backend


def _patch() -> None:
    from torch.distributed.fsdp import _init_utils
    from verl.utils import fsdp_utils

    original = torch.distributed.init_process_group

    def init_process_group(backend: str | None = None, *args, **kwargs) -> None:
        original(_first_of(backend) if backend else backend, *args, **kwargs)

    torch.distributed.init_process_group = init_process_group
    # FSDP wants to broadcast from a GPU. gloo can do it from a CPU.
    _init_utils._check_module_states_for_sync_module_states = lambda _: None
    torch.Tensor.pin_memory = lambda self, *_: self
    # All is on the CPU, where verl would look for a device `cpu:cpu`.
    fsdp_utils.load_fsdp_model_to_gpu = lambda _: None


RolloutReplicaRegistry.register("vllm", lambda: Replica)
base._ROLLOUT_REGISTRY[("vllm", "async")] = f"{__name__}.Adapter"
_patch()
