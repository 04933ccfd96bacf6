"""What hls4ml 1.3's bit-exact pass gets wrong before quantizers that wrap.

Such a quantizer keeps the low bits of what it reads, so what comes before it may drop bits, as
long as its own type wraps at the same place or above. The pass forgets two things:

* A number below zero that is read without a sign wraps to a large one. The pass takes the fewer
  of produced and wanted integer bits and no sign, and so wraps it at the produced ones. A type
  with a sign and one integer bit less wraps at the same place and keeps narrow numbers.
* It gives a type the sign that a wrapping quantizer wants only where that quantizer comes next or
  behind a reshape. Other layers that only carry elements are no different.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

__all__ = ["register_wraps"]

CARRIERS: Final = ("Concatenate", "Cropping", "Reshape", "Resize", "Transpose", "ZeroPadding")
"""Starts of the class names of layers that carry elements as they are."""
SATURATING: Final = ("SAT", "SAT_SYM")


def register_wraps() -> None:
    """Mend the pass. Calling it twice does no harm."""
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FixedPointQuantizer

    original = bit_exact._request_kif.dispatch(FixedPointQuantizer)
    if getattr(original, "keeps_signs", False):
        return

    def requested(layer: Any) -> Any:
        ((sign, integer, fraction),) = original(layer)
        if layer.SAT in SATURATING:
            return ((sign, integer, fraction),)
        before = bit_exact.get_input_layers(layer)[0]
        negative = np.asarray(bit_exact.produce_kif(before)[0]) > 0
        turned = negative & (sign == 0) & (integer + fraction > 0)
        made = np.where(turned, 1, sign), np.where(turned, integer - 1, integer)
        return ((*(part.astype(np.int16) for part in made), fraction),)

    def wrapped(layer: Any) -> bool:
        """Whether a wrapping quantizer reads the layer, with carriers between them or none."""
        for reader in bit_exact.get_output_layers(layer):
            if isinstance(reader, FixedPointQuantizer) and reader.SAT not in SATURATING:
                return True
            if reader.class_name.startswith(CARRIERS) and wrapped(reader):
                return True
        return False

    requested.keeps_signs = True  # type: ignore[attr-defined]
    bit_exact._request_kif.register(FixedPointQuantizer, requested)
    bit_exact.requested_by_non_saturating_quantizer = wrapped
