"""What runs inside a job: manifest in, result out. Knows nothing of Temporal or of slurmrestd."""
