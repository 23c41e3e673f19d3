"""The attempt's folder: what is asked in it, and what this job leaves there."""
