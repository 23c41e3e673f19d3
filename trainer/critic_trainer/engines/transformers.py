"""Prediction by `generate` of Hugging Face's transformers: the same answers at any number of processes."""

from critic_trainer.device import own_gpu, prepare_torch, quick_imports
from critic_trainer.engines.predictions.engine import Prediction
from critic_trainer.engines.predictions.shared_rows import Answerer
from critic_trainer.engines.protocol import COMMON_PACKAGES


class Transformers(Prediction):
    """Predictions on one device in each process."""

    name = "transformers"
    packages = COMMON_PACKAGES

    def load(self) -> Answerer:
        own_gpu(self.ranks.local)
        prepare_torch(self.attempt.threads)
        with quick_imports():
            from critic_trainer.engines.predictions.with_transformers import TransformersAnswerer

        return TransformersAnswerer(self.attempt)
