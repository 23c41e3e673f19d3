"""GRPO by TRL, in one process."""
