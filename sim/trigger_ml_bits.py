"""Rows of integer codes to strings of bits, as a simulator takes and gives them, and back.

Element k of a row sits above element k - 1, the first in the least significant bits; a string
starts with the most significant bit. Whole arrays are converted at once, in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout", "Unresolved"]

CELLS: Final = 1 << 22
"""Bits that are converted at once; bounds the memory."""
ZERO: Final = ord("0")


class Unresolved(ValueError):
    """A bit that is neither 0 nor 1. row, element: the first one."""

    def __init__(self, row: int, element: int, text: str) -> None:
        super().__init__(f"element {element} of row {row} is {text}")
        self.row, self.element, self.text = row, element, text


class Layout:
    """How elements share a vector. widths: bits of each; signed: two's complement or not."""

    def __init__(self, widths: NDArray[np.int64], signed: NDArray[np.bool_]) -> None:
        self.starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        self.bits = int(widths.sum())
        self._element = np.repeat(np.arange(len(widths)), widths)
        self._shift = np.arange(self.bits) - self.starts[self._element]
        self._weight = np.left_shift(np.int64(1), self._shift)
        top = self.starts + widths - 1
        self._weight[top] = np.where(signed, -self._weight[top], self._weight[top])
        self._rows = max(1, CELLS // max(1, self.bits))

    def strings(self, codes: NDArray[np.int64]) -> Iterator[str]:
        """One string for each row of codes, shape (rows, elements), made in large pieces."""
        for start in range(0, len(codes), self._rows):
            part = codes[start : start + self._rows]
            cells = ((part[:, self._element] >> self._shift) & 1).astype(np.uint8) + ZERO
            text = cells[:, ::-1].tobytes().decode("ascii")
            for at in range(0, len(text), self.bits):
                yield text[at : at + self.bits]

    def codes(self, strings: Sequence[str]) -> NDArray[np.int64]:
        """Rows of codes, shape (rows, elements). Raises Unresolved for an X or a Z."""
        result = np.empty((len(strings), len(self.starts)), dtype=np.int64)
        for start in range(0, len(strings), self._rows):
            part = strings[start : start + self._rows]
            raw = np.frombuffer("".join(part).encode("ascii"), dtype=np.uint8)
            cells = raw.reshape(len(part), self.bits)[:, ::-1] - np.uint8(ZERO)
            if (cells > 1).any():
                row, bit = (int(k) for k in np.argwhere(cells > 1)[0])
                element = int(self._element[bit])
                low, end = self.bits - int(self.starts[element]), self.bits
                if element + 1 < len(self.starts):
                    end = int(self.starts[element + 1])
                raise Unresolved(start + row, element, part[row][self.bits - end : low])
            weighted = cells * self._weight
            result[start : start + len(part)] = np.add.reduceat(weighted, self.starts, axis=1)
        return result
