"""Where an adapter lies."""


def get_adapter_absolute_path(path: str) -> str:
    """Refused: the stand-in for vLLM knows no LoRA."""
    raise NotImplementedError(f"the stand-in for vLLM knows no LoRA ({path})")
