"""A request's adapter, by name alone."""

import msgspec


class LoRARequest(msgspec.Struct):
    """Never given to anything: `LLM.generate` refuses adapters."""

    lora_name: str
    lora_int_id: int
    lora_path: str = ""
