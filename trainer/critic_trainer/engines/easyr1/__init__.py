"""GRPO by EasyR1, in either of its generations."""
