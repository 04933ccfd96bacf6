"""Smaller networks: post-training fixed point, pruning, fine-tuning, and the search over them."""
