"""Neural networks for the hardware triggers of particle physics, from Keras to checked firmware."""

from typing import Final

__all__ = ["__version__"]

__version__: Final = "0.1.0"
