"""`python -m critic_trainer.scenes`: writes the sample dataset."""

from .dataset import main

main()
