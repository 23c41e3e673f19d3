"""Ray in a Slurm job: a cluster of its nodes, and engines whose own driver trains on it. Loads the standard library."""
