"""HGQ2 models as training leaves them, without training: drawn widths and drawn weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["KIND", "draw", "quantizers_of", "save", "usual_quantizers"]

KIND: Final = "HGQ2 .keras"


@contextmanager
def usual_quantizers() -> Iterator[None]:
    """HGQ2's usual choice: a width for every weight and element; numbers that flow wrap around."""
    from hgq.config import LayerConfigScope, QuantizerConfigScope

    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=False),
    ):
        yield


def quantizers_of(model: Any) -> list[Any]:
    """The innermost quantizers of all layers."""
    return [
        layer.quantizer for layer in model._flatten_layers() if type(layer).__name__ == "Quantizer"
    ]


def draw(model: Any, seed: int = 5, bits: tuple[int, int] = (3, 5)) -> None:
    """Give every quantizer widths of its own, from ``bits``, and every weight a value.

    Widths of a sign, 0 to 2 integer bits and the rest of fraction; one in eight has no bits.
    """
    random = np.random.default_rng(seed)
    chosen = quantizers_of(model)
    own = {id(variable) for quantizer in chosen for variable in quantizer.variables}
    for quantizer in chosen:
        shape = tuple(quantizer._i.shape)
        none = (
            random.random(shape) < 0.125 if shape and np.prod(shape) > 1 else np.zeros(shape, bool)
        )
        integer = random.integers(0, 3, shape)
        width = np.where(none, 0, random.integers(bits[0], bits[1] + 1, shape) - 1)
        quantizer._k.assign(np.where(none, 0, 1).astype(np.uint8))
        quantizer._i.assign(np.where(none, 0, integer).astype(np.float32))
        if hasattr(quantizer, "_b"):
            quantizer._b.assign(width.astype(np.float32))
        else:
            quantizer._f.assign(np.where(none, 0, width - integer).astype(np.float32))
    for variable in model.variables:
        if id(variable) not in own and variable.dtype == "float32" and variable.shape:
            low = 0.25 if "variance" in variable.name else -2.0
            variable.assign(random.uniform(low, 2.0, variable.shape).astype(np.float32))


def save(path: Path, model: Any, seed: int = 5, bits: tuple[int, int] = (3, 5)) -> None:
    """Draw, and write the ``.keras`` file."""
    draw(model, seed, bits)
    model.save(path)
