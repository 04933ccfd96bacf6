"""Float networks of any shape, given fixed-point types from events."""
