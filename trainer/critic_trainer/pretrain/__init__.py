"""Builds the tiny base model `models/tiny-critic`: perception and language, never a score or verdict of a shown pair."""
