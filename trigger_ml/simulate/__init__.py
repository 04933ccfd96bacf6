"""Running firmware: C simulation and cosimulation."""
