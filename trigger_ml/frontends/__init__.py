"""Model files: read, checked, evaluated by their own framework, converted by hls4ml."""
