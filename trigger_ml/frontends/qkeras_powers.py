"""Quantizers of QKeras 0.9 with a negative number of integer bits.

QKeras computes 2**integer in integers, and TensorFlow refuses integers to negative powers, so that
quantized_bits(4, -1) fails in QKeras itself. Models of other libraries have such types.
"""

from __future__ import annotations

from typing import Any

__all__ = ["allow_negative_integers"]


class _Backend:
    """Keras' backend with powers of two below one."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def pow(self, base: Any, exponent: Any) -> Any:
        """A float where an integer would be needed and cannot be, what Keras says elsewhere."""
        if isinstance(base, int) and isinstance(exponent, int) and exponent < 0:
            return float(base) ** exponent
        return self._backend.pow(base, exponent)


def allow_negative_integers() -> None:
    """Let this process's QKeras compute powers of two below one. Call it after bind_keras()."""
    from qkeras import quantizers

    if not isinstance(quantizers.K, _Backend):
        quantizers.K = _Backend(quantizers.K)
