"""Fixed-point types and weights from data, without training."""
