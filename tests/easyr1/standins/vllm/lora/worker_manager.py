"""The class that EasyR1 gives a method of its own."""


class LRUCacheWorkerLoRAManager:
    """Never made."""
