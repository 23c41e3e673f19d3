"""What a job is given, read with distrust: rows and images."""
