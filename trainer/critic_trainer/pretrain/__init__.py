"""Builds the tiny base model `models/tiny-critic`: perception and language, never a verdict on a shown pair."""
