"""The stand-in for vLLM answers as the model itself does, and refuses what vLLM refuses. It is not vLLM."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
CRITIC = CHECKOUT / "models/tiny-critic"
IMAGE_MARK = "<|vision_start|><|image_pad|><|vision_end|>"
PROMPT = f"<|im_start|>user\n{IMAGE_MARK}{IMAGE_MARK}Edit: make it red<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def vllm() -> Iterator[Any]:
    """The stand-in, importable while these tests run."""
    folder = str(CHECKOUT / "tests/easyr1/standins")
    sys.path.insert(0, folder)
    import vllm

    yield vllm
    sys.path.remove(folder)
    for name in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def llm(vllm: Any) -> Any:
    """The tiny critic in fp32."""
    return vllm.LLM(model=str(CRITIC), dtype="float32", limit_mm_per_prompt={"image": 2})


def prompt(world: Path, index: int = 0) -> dict[str, Any]:
    """A pair of images and its question, as vLLM takes them."""
    from PIL import Image

    images = [Image.open(world / f"dataset/images/{index}-{side}.png") for side in ("source", "edited")]
    return {"prompt": PROMPT, "multi_modal_data": {"image": images}}


def test_greedy_tokens_are_those_that_a_forward_pass_ranks_first(vllm: Any, llm: Any, world: Path) -> None:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    given = prompt(world)
    [answer] = llm.generate(given, vllm.SamplingParams(temperature=0, max_tokens=40))
    tokens = answer.outputs[0].token_ids
    processor = AutoProcessor.from_pretrained(CRITIC, use_fast=True)
    model = AutoModelForImageTextToText.from_pretrained(CRITIC, dtype=torch.float32, attn_implementation="sdpa")
    inputs = processor(text=[PROMPT], images=[given["multi_modal_data"]["image"]], return_tensors="pt")
    assert inputs["input_ids"].tolist() == [answer.prompt_token_ids]
    whole = torch.tensor([answer.prompt_token_ids + tokens])
    inputs |= {"input_ids": whole, "attention_mask": torch.ones_like(whole)}
    with torch.inference_mode():
        logits = model(**inputs).logits[0]
    ranked = logits[len(answer.prompt_token_ids) - 1 : -1].argmax(-1).tolist()
    assert len(tokens) > 3
    assert tokens == ranked


def test_token_ids_of_a_prompt_give_what_its_text_gives(vllm: Any, llm: Any, world: Path) -> None:
    params = vllm.SamplingParams(temperature=0, max_tokens=20)
    text = prompt(world)
    ids = llm.get_tokenizer().encode(text["prompt"], add_special_tokens=False)
    other = {"prompt_token_ids": ids, "multi_modal_data": text["multi_modal_data"]}
    first, second = llm.generate([text, other], params)
    assert first.outputs == second.outputs


def test_samples_follow_their_seed_and_not_their_neighbours(vllm: Any, llm: Any, world: Path) -> None:
    params = vllm.SamplingParams(n=3, temperature=1, max_tokens=20, seed=4)
    [alone] = llm.generate(prompt(world), params)
    beside = llm.generate([prompt(world, 1), prompt(world)], params)[1]
    [another] = llm.generate(prompt(world), vllm.SamplingParams(n=3, temperature=1, max_tokens=20, seed=5))
    assert [one.index for one in alone.outputs] == [0, 1, 2]
    assert len({tuple(one.token_ids) for one in alone.outputs}) > 1
    assert alone.outputs == beside.outputs
    assert alone.outputs != another.outputs


def test_an_answer_ends_at_the_models_end_a_stop_token_or_the_limit(vllm: Any, llm: Any, world: Path) -> None:
    ends = json.loads((CRITIC / "generation_config.json").read_text())["eos_token_id"]
    [whole] = llm.generate(prompt(world), vllm.SamplingParams(temperature=0, max_tokens=99))
    ids = whole.outputs[0].token_ids
    assert (ids[-1] in ends, whole.outputs[0].finish_reason, whole.outputs[0].stop_reason) == (True, "stop", None)
    [cut] = llm.generate(prompt(world), vllm.SamplingParams(temperature=0, max_tokens=2))
    assert (cut.outputs[0].token_ids, cut.outputs[0].finish_reason) == (ids[:2], "length")
    stop = vllm.SamplingParams(temperature=0, max_tokens=99, stop_token_ids=[ids[3]])
    [stopped] = llm.generate(prompt(world), stop)
    end = ids.index(ids[3])
    assert (stopped.outputs[0].token_ids, stopped.outputs[0].stop_reason) == (ids[: end + 1], ids[3])
    biased = vllm.SamplingParams(temperature=0, max_tokens=99, logit_bias={ids[0]: -100})
    assert llm.generate(prompt(world), biased)[0].outputs[0].token_ids[0] != ids[0]


def test_prompts_without_their_images_are_refused(vllm: Any, llm: Any, world: Path) -> None:
    given = prompt(world)
    one = {**given, "multi_modal_data": {"image": given["multi_modal_data"]["image"][:1]}}
    with pytest.raises(ValueError, match="2 image marks and 1 images"):
        llm.generate(one, vllm.SamplingParams())
    three = {**given, "multi_modal_data": {"image": given["multi_modal_data"]["image"] * 2}}
    with pytest.raises(ValueError, match="at most 2 image"):
        llm.generate(three, vllm.SamplingParams())
    with pytest.raises(TypeError):
        vllm.SamplingParams(tempereture=0)


def test_an_engine_without_weights_answers_once_all_were_brought(vllm: Any, llm: Any, world: Path) -> None:
    from safetensors.torch import load_file

    params = vllm.SamplingParams(temperature=0, max_tokens=20)
    empty = vllm.LLM(model=str(CRITIC), dtype="float32", load_format="dummy", enable_sleep_mode=True)
    with pytest.raises(RuntimeError, match="no weights"):
        empty.generate(prompt(world), params)
    held = empty.llm_engine.model_executor.driver_worker.worker.model_runner.model
    weights = load_file(CRITIC / "model.safetensors")
    with pytest.raises(ValueError, match="1 weights were not brought"):
        held.load_weights([(name, tensor) for name, tensor in weights.items() if name != "model.norm.weight"])
    with pytest.raises(ValueError, match="there is no weight"):
        held.load_weights([("model.other.weight", weights["model.norm.weight"])])
    empty.sleep(level=1)
    held.load_weights(weights.items())
    empty.wake_up(tags=["weights"])
    with pytest.raises(RuntimeError, match="asleep"):
        empty.generate(prompt(world), params)
    empty.wake_up(tags=["kv_cache"])
    assert empty.generate(prompt(world), params)[0].outputs == llm.generate(prompt(world), params)[0].outputs


def test_it_does_not_load_where_a_gpu_is(vllm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.setattr(Path, "exists", lambda _: True)
    with pytest.raises(ImportError, match="here is a GPU"):
        importlib.reload(vllm)
