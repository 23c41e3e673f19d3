"""Names that EasyR1 imports for LoRA. Nothing here does LoRA: `LLM` refuses it."""
