"""JSON Schemas of attempt.json and result.json: the wire contract with the orchestrator.

They live here, and not in a JSON file, because a job runs a copy of this package's .py files alone. The same schemas
are in tests/golden/*.schema.json for the TypeScript side; a test compares them.
"""

from typing import Any

_POSITIVE_INT = {"type": "integer", "minimum": 1}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_FRACTION = {"type": "number", "minimum": 0, "maximum": 1}
_ABSOLUTE = {"type": "string", "pattern": "^/"}
_NAME = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 128}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_COUNT = {"type": ["integer", "null"], "minimum": 0}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


_REWARD = _object(
    {
        "shape": {"enum": ["l1", "l2", "gaussian", "laplace"]},
        "format_weight": {"type": "number", "minimum": 0, "maximum": 10},
        "floor": _FRACTION,
    }
)

_ARGUMENTS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}

_TOKENIZE = _object({"cutoff_len": _POSITIVE_INT}, {"llamafactory": _ARGUMENTS})

_LLAMAFACTORY = _object(
    {
        "batch_size": _POSITIVE_INT,
        "gradient_accumulation": _POSITIVE_INT,
        "learning_rate": _POSITIVE,
        "epochs": _POSITIVE,
        "warmup_ratio": _FRACTION,
        "cutoff_len": _POSITIVE_INT,
        "save_steps": _POSITIVE_INT,
    },
    {
        "llamafactory": _ARGUMENTS,
        "deepspeed": {"enum": ["zero2", "zero3"]},
        "processes": _POSITIVE_INT,
    },
)

_GRPO = {
    "steps": _POSITIVE_INT,
    "prompts_per_step": _POSITIVE_INT,
    "generations": {"type": "integer", "minimum": 2},
    "learning_rate": _POSITIVE,
    "temperature": _POSITIVE,
    "beta": {"type": "number", "minimum": 0},
    "epsilon": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "epsilon_high": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "max_completion_length": _POSITIVE_INT,
    "save_steps": _POSITIVE_INT,
    "reward": _REWARD,
}

_TRL = _object(
    _GRPO,
    {"gradient_accumulation": _POSITIVE_INT},
)

# verl and EasyR1. A process is a GPU, or, on a node without any, one of those that share its CPUs.
_RAY = _object(
    {
        **_GRPO,
        "max_prompt_length": _POSITIVE_INT,
        "save_limit": {"type": "integer", "minimum": 3},
        "validate_steps": {"type": "integer", "minimum": 0},
        "micro_batch_size": _POSITIVE_INT,
        "tensor_parallel": _POSITIVE_INT,
        "gpu_memory_utilization": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "nodes": _POSITIVE_INT,
        "processes_per_node": _POSITIVE_INT,
    },
    {
        "prompts_per_update": _POSITIVE_INT,
        "max_lost_minutes": _POSITIVE,
        "settings": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
    },
)

_PREDICTION = _object(
    {
        "split": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "batch_size": _POSITIVE_INT,
        "max_new_tokens": _POSITIVE_INT,
        "sampled_temperature": _POSITIVE,
    },
    {
        "samples": _POSITIVE_INT,
        "prefill": {"type": "string", "maxLength": 200},
        "processes": _POSITIVE_INT,
        "gpu_memory_utilization": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "max_prompt_length": _POSITIVE_INT,
    },
)


def _engine(name: str, kind: str, inputs: list[str], params: dict[str, Any]) -> dict[str, Any]:
    """An attempt that names this engine is of its kind and has its inputs and parameters."""
    then = {"kind": {"const": kind}, "inputs": {"required": inputs}, "params": params}
    return {"if": {"properties": {"engine": _named(name)}, "required": ["engine"]}, "then": {"properties": then}}


def _named(name: str) -> dict[str, Any]:
    return {"properties": {"name": {"const": name}}, "required": ["name"]}


def _llamafactory() -> list[dict[str, Any]]:
    """It has two kinds of work. SFT takes the mix, or what the other made of it."""
    named = {"engine": _named("llamafactory")}
    raw = {"if": {"not": {"required": ["tokenized"]}}, "then": {"required": ["mix"]}}
    sft = {"inputs": {"required": ["dataset"], **raw}, "params": _LLAMAFACTORY}
    tokenize = {"inputs": {"required": ["dataset", "mix"]}, "params": _TOKENIZE}
    return [
        {
            "if": {"properties": named, "required": ["engine"]},
            "then": {"properties": {"kind": {"enum": ["sft", "tokenize"]}}},
        },
        *(
            {
                "if": {"properties": named | {"kind": {"const": kind}}, "required": ["engine", "kind"]},
                "then": {"properties": then},
            }
            for kind, then in (("sft", sft), ("tokenize", tokenize))
        ),
    ]


ATTEMPT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "attempt.json: what a job is to do",
    **_object(
        {
            "schema": {"const": 1},
            "name": _NAME,
            "run": _NAME,
            "stage": _NAME,
            "attempt": _POSITIVE_INT,
            "kind": {"enum": ["tokenize", "sft", "grpo", "predict"]},
            "model": _ABSOLUTE,
            "inputs": {"type": "object", "additionalProperties": _ABSOLUTE},
            "resume_from": {"type": ["string", "null"], "pattern": "^/"},
            "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
            "threads": {"type": "integer", "minimum": 1, "maximum": 1024},
            "planned": _object({"steps": _COUNT}, {"rows": _COUNT}),
            "engine": _object(
                {
                    "name": {"enum": ["llamafactory", "trl", "easyr1", "verl", "transformers", "vllm"]},
                    "versions": _TEXTS,
                }
            ),
            "params": {"type": "object"},
        }
    ),
    "allOf": [
        *_llamafactory(),
        _engine("trl", "grpo", ["dataset", "prompts"], _TRL),
        _engine("easyr1", "grpo", ["dataset", "prompts"], _RAY),
        _engine("verl", "grpo", ["dataset", "prompts"], _RAY),
        _engine("transformers", "predict", ["dataset", "prompts"], _PREDICTION),
        _engine("vllm", "predict", ["dataset", "prompts"], _PREDICTION),
    ],
}

RESULT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "result.json: what a trainer did, written last",
    **_object(
        {
            "schema": {"const": 1},
            "name": _NAME,
            "kind": {"enum": ["tokenize", "sft", "grpo", "predict"]},
            "steps_planned": _COUNT,
            "steps_done": _COUNT,
            "first_step": _COUNT,
            "resumed_from_step": _COUNT,
            "finite": {"type": "boolean"},
            "rows": _COUNT,
            "model": {"type": ["string", "null"]},
            "trainer": _TEXTS,
            "seconds": {"type": "number", "minimum": 0},
        }
    ),
}
