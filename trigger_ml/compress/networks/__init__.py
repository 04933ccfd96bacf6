"""Float networks: reading, pruning, other sizes."""
