"""What hls4ml 1.3's bit-exact pass gets wrong in quantizers that saturate.

It gives a quantizer no more fraction bits than what it reads has. But the largest number that one
can make has all of its own bits: 0.75 with two of them, where one leaves 0.5. The pass keeps these
ends for quantizers that wrap or saturate symmetrically, and so it has to for the others.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["register_saturation"]

KEEPS_ENDS: Final = "SAT_SYM"
"""An overflow mode whose ends the pass keeps, unless nothing overflows."""


def register_saturation() -> None:
    """Mend the pass. Calling it twice does no harm."""
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FixedPointQuantizer

    original = bit_exact._produce_kif.dispatch(FixedPointQuantizer)
    if getattr(original, "keeps_ends", False):
        return

    def produced(layer: Any) -> Any:
        mode = layer.SAT
        if mode == "SAT":
            layer.SAT = KEEPS_ENDS
        try:
            return original(layer)
        finally:
            layer.SAT = mode

    produced.keeps_ends = True  # type: ignore[attr-defined]
    bit_exact._produce_kif.register(FixedPointQuantizer, produced)
