"""The name of an adapter's class, for annotations."""


class LoRAModel:
    """Never made."""
