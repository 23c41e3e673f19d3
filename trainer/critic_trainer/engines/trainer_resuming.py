"""What Hugging Face's Trainer takes from a checkpoint although the attempt says otherwise."""

from transformers import TrainerState

_load = TrainerState.load_from_json


def keep_micro_batch(size: int) -> None:
    """Has every resume in this process take micro-batches of `size` rows, those of the settings.

    Trainer takes the checkpoint's (`trainer_state.json`, train_batch_size) and the settings' accumulation. So after a
    halving a step would have twice its rows, in micro-batches as large as those for which memory was too small.
    """

    def load(json_path: str) -> TrainerState:
        state = _load(json_path)
        state.train_batch_size = size
        return state

    TrainerState.load_from_json = staticmethod(load)
