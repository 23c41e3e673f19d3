"""The offline stand-in teacher: an OpenAI-compatible server for machines without a network. NOT a language model.

It looks at the drawn scenes by rule (`critic_trainer.scenes`) and writes by template. It exists so that the pipeline
can be run and tested end to end; critiques for a real critic come from a real model, through the
same code, by base URL.
"""
