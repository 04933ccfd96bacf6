"""Jet features as a trigger would hand them to the network: shifted, subtracted, saturated.

Every feature is mapped to ``(x - offset) / scale`` and put on the fixed-point grid of the
network's input quantizer, ``quantized_bits(bits, integer, alpha=1)`` in QKeras: rounded half to
even (``RND_CONV``) and saturated (``SAT``). ``scale`` is a power of two and ``offset`` a whole
number of input steps, so that on a fixed-point feature all of it is a shift, a subtraction of a
constant and a saturation: a few LUTs each, no multiplier and no table, hence no logarithm for
the long tails either. Tails beyond the fitted quantiles saturate instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError

__all__ = ["Scaling", "fit_scaling", "read_scaling"]

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Scaling:
    """Offset and scale of every feature, and the grid the scaled values lie on.

    names: of the features, in order. offset: in units of the feature, a whole number of
    steps of ``scale * 2**(integer + 1 - bits)``. scale: in units of the feature, powers of two.
    bits: width with the sign. integer: integer bits without the sign, as QKeras counts them.
    """

    names: tuple[str, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    bits: int
    integer: int

    @property
    def step(self) -> float:
        """Distance of two neighbouring scaled values."""
        return 2.0 ** (self.integer + 1 - self.bits)

    def codes(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Scaled values as integers in units of ``step``; features: shape (events, features).

        Raises DataError for another number of features and for values that are not finite.
        """
        values = np.asarray(features, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.names):
            what = f"must have the shape (events, {len(self.names)}), found {values.shape}"
            raise DataError(Blocker("features", what, f"in this order: {', '.join(self.names)}"))
        broken = int((~np.isfinite(values)).any(axis=1).sum())
        if broken:
            raise DataError(Blocker("features", f"{broken} of {len(values)} jets hold NaN or inf"))
        lsb = np.array(self.scale) * self.step
        steps = np.rint((values - np.array(self.offset)) / lsb)
        limit = 2 ** (self.bits - 1)
        return np.asarray(np.clip(steps, -limit, limit - 1), dtype=np.int64)

    def apply(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Scaled values on the grid, shape as ``features``. Raises DataError as ``codes``."""
        return self.codes(features).astype(np.float64) * self.step

    def to_json(self) -> str:
        """JSON text; floats survive exactly."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str, where: str) -> Scaling:
        """Read back. Raises DataError for anything that is not a usable scaling."""
        try:
            raw = json.loads(text)
            if raw["schema"] != SCHEMA:
                raise ValueError(f"it has schema {raw['schema']}, this version reads {SCHEMA}")
            scaling = cls(
                tuple(str(name) for name in raw["names"]),
                tuple(float(value) for value in raw["offset"]),
                tuple(float(value) for value in raw["scale"]),
                int(raw["bits"]),
                int(raw["integer"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(Blocker(where, f"is not a scaling: {error}")) from None
        if problems := scaling._problems():
            raise DataError([Blocker(where, problem) for problem in problems])
        return scaling

    def _problems(self) -> list[str]:
        found = []
        if not len(self.names) == len(self.offset) == len(self.scale) > 0:
            found.append("names, offset and scale must be lists of one length, 1 or more")
        if not 2 <= self.bits <= 16:
            found.append(f"bits must be 2 to 16, found {self.bits}")
        bad = [value for value in self.scale if not (value > 0 and math.frexp(value)[0] == 0.5)]
        if bad:
            found.append(f"every scale must be a power of two, found {bad[0]}")
        elif not found:
            steps = np.array(self.offset) / (np.array(self.scale) * self.step)
            if not np.array_equal(steps, np.rint(steps)):
                found.append("every offset must be a whole number of steps")
        return found


def fit_scaling(
    features: NDArray[Any], names: Sequence[str], bits: int, integer: int, coverage: float
) -> Scaling:
    """Fit on training jets: the central ``coverage`` of every feature fills its grid.

    features: shape (events, features). coverage: 0 to 1; the smallest power of two is taken
    whose grid holds that share of the jets between its ends, so up to half of the grid may lie
    in the tails. Quantiles, and not mean and deviation, because one far jet moves them little.

    Raises DataError for a feature whose central values are all equal: it tells nothing.
    """
    values = np.asarray(features, dtype=np.float64)
    tail = (1 - coverage) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    flat = [name for name, width in zip(names, high - low, strict=True) if not width > 0]
    if flat:
        fix = "give more jets, or other ones"
        raise DataError([Blocker(name, "is the same for nearly all jets", fix) for name in flat])
    scale = 2.0 ** np.ceil(np.log2((high - low) / 2.0 ** (integer + 1)))
    lsb = scale * 2.0 ** (integer + 1 - bits)
    offset = np.rint((low + high) / 2 / lsb) * lsb
    return Scaling(tuple(names), tuple(offset.tolist()), tuple(scale.tolist()), bits, integer)


def read_scaling(path: Path) -> Scaling:
    """Read ``scaling.json`` of a trained model. Raises DataError when it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(Blocker(str(path), f"cannot be read: {error}")) from error
    return Scaling.from_json(text, str(path))
