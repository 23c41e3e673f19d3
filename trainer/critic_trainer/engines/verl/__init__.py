"""GRPO by verl 0.9 (PyPI). Loads the standard library alone."""
