"""Predictions: rows in batches, shared out among the processes of a job, answered by one engine or another."""
