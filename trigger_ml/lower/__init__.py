"""From the graph to RTL."""
