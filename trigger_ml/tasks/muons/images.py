"""The layout of chamber images: six layers as the bits of one word, or as channels."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.muons.chamber import LAYERS, PARTITIONS, STRIPS

__all__ = ["MOST_MUONS", "SHAPE", "Images", "Words", "pack", "unpack"]

Words = NDArray[np.uint8]

SHAPE: Final = (PARTITIONS, STRIPS)
"""Of one image as words."""
MOST_MUONS: Final = 3
"""Muons of one image."""


@dataclass(frozen=True, slots=True)
class Images:
    """Chamber images and what made them, n of each.

    hits: (n, 8, 384) uint8, bit l of a word is set where layer l has a hit.
    truth: likewise, only the clusters that muons made in passing; a subset of ``hits``.
    muons: (n,) uint8, muons in the image, 0 to 3.
    pt (GeV), eta, strip, charge: (n, 3) float32, NaN where there is no muon; ``eta`` and
        ``strip`` are those of the middle of the stack, strip k reaching from k to k + 1.
    background: (n,) float32, the multiple of the nominal rate.
    dead_layers: (n,) uint8, bit l is set where layer l was dead.
    """

    hits: Words
    truth: Words
    muons: Words
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    strip: NDArray[np.float32]
    charge: NDArray[np.float32]
    background: NDArray[np.float32]
    dead_layers: Words

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, chosen: slice | NDArray[Any]) -> Images:
        """Some of the images: a slice, a boolean mask or image numbers."""
        return Images(**{item.name: getattr(self, item.name)[chosen] for item in fields(self)})


def unpack(words: Words) -> Words:
    """Words (..., strips) as channels (..., strips, 6) of 0 and 1: the input of a network.

    Raises DataError for words that are no six bits.
    """
    words = np.asarray(words)
    if words.dtype != np.uint8 or (words.size and int(words.max()) >= 1 << LAYERS):
        what = f"must be bytes below {1 << LAYERS}, found {words.dtype} up to {words.max()}"
        raise DataError(Blocker("words", what))
    return np.unpackbits(words[..., None], axis=-1, count=LAYERS, bitorder="little")


def pack(channels: NDArray[Any]) -> Words:
    """Channels (..., strips, 6) as words (..., strips), the inverse of :func:`unpack`.

    Raises DataError for another number of channels and for values that are not 0 or 1.
    """
    channels = np.asarray(channels)
    if channels.ndim < 1 or channels.shape[-1] != LAYERS:
        what = f"must be {LAYERS} in the last axis, found the shape {channels.shape}"
        raise DataError(Blocker("channels", what))
    if not np.isin(channels, (0, 1)).all():
        raise DataError(Blocker("channels", "must hold nothing but 0 and 1"))
    return np.packbits(channels.astype(np.uint8), axis=-1, bitorder="little")[..., 0]
