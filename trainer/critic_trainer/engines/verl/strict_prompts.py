"""verl's own data set made strict. verl loads it by its name, in its own processes."""

from typing import Any

from verl.utils.dataset.rl_dataset import RLHFDataset

from critic_trainer.failures import BadDataError


class Prompts(RLHFDataset):
    """verl's own data set, which would silently leave out prompts that are too long."""

    def maybe_filter_out_long_prompts(self, dataframe: Any = None) -> Any:
        """Raises BadDataError if any prompt has more tokens, its images' included, than fit."""
        kept = super().maybe_filter_out_long_prompts(dataframe)
        if len(kept) < len(dataframe):
            raise BadDataError(
                f"{len(dataframe) - len(kept)} of {len(dataframe)} prompts have more than {self.max_prompt_length} "
                "tokens with their images: give grpo.max_prompt_length more, or the images fewer pixels"
            )
        return kept
