"""Networks over a long axis as streams of columns: few kernels, many instances."""
