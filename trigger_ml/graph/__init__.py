"""The fixed-point graph and everything that needs nothing else."""
