"""Recurrent layers of QKeras 0.9 on today's TensorFlow, which has other names for what they ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["allow_cells"]


class _Module:
    """A module of TensorFlow with functions under names that it had until 2.13."""

    def __init__(self, module: Any, older: Mapping[str, Callable[..., Any]]) -> None:
        self._module = module
        self._older = older

    def __getattr__(self, name: str) -> Any:
        return self._older[name] if name in self._older else getattr(self._module, name)


def allow_cells() -> None:
    """Let this process's QKeras compute QSimpleRNN and QGRU. Call it after bind_keras()."""
    import tensorflow as tf
    from qkeras import qrecurrent

    if not isinstance(qrecurrent.nest, _Module):
        nest, arrays = qrecurrent.nest, qrecurrent.array_ops
        qrecurrent.nest = _Module(nest, {"is_sequence": nest.is_nested})
        qrecurrent.array_ops = _Module(arrays, {"unstack": tf.unstack})
