"""Log entries of Hugging Face's Trainer, LLaMA-Factory's and TRL's alike, under the names of metrics.jsonl."""

NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "lr",
    "epoch": "epoch",
    "reward": "reward",
    "reward_std": "reward_std",
    "rewards/accuracy/mean": "reward_l1",
    "rewards/format/mean": "reward_format",
    "completions/mean_length": "response_length",
    "completions/clipped_ratio": "response_clipped",
    "entropy": "entropy",
    "kl": "kl",
    "clip_ratio/region_mean": "clip_fraction",
    "frac_reward_zero_std": "reward_std_zero",
}
"""A key that is not here is not written."""


def normalised(logs: dict[str, object]) -> dict[str, float]:
    """The numbers of a Trainer log entry under our names. The last entry of a training (train_runtime, …) gives {}."""
    if "train_runtime" in logs:
        return {}
    return {NAMES[key]: float(value) for key, value in logs.items() if key in NAMES and isinstance(value, int | float)}
