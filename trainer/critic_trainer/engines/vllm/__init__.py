"""Predictions by vLLM."""
