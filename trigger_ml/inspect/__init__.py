"""What a model is and costs, before anything is compiled; and what changed between two of them."""
