"""Pieces of chamber images to train on: most of an image is empty, and every strip is alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.muons.chamber import STRIPS
from trigger_ml.tasks.muons.images import Words
from trigger_ml.tasks.muons.training_recipe import Crops

__all__ = ["Pieces", "cut"]

NEAR: Final = 2
"""Strips on either side whose layers count together, where an empty image is searched."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """n pieces of images. hits: words, (n, 8, width) uint8. true: their true cells, likewise.
    weight: what each counts, (n,)."""

    hits: Words
    true: NDArray[np.bool_]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.hits)


def cut(
    hits: Words,
    truth: Words,
    recipe: Crops,
    rng: np.random.Generator,
    weight: NDArray[np.float32] | None = None,
) -> Pieces:
    """Cut ``recipe.per_image`` pieces out of every image.

    hits, truth: words, shape (images, 8, 384). weight: what an image's pieces count, shape
    (images,), 1 where it is not given. A piece holds one of the image's true strips, or
    of an empty image the strip with most layers hit, at a random place inside its margins; or it
    lies anywhere. It may reach over the edge of the image
    by its margin, where it is empty, as the network's padding is.
    """
    margin = recipe.margin
    wide = ((0, 0), (0, 0), (margin, margin))
    padded = np.pad(hits, wide), np.pad(truth, wide)
    strips = (truth != 0).any(axis=1)
    empty = ~strips.any(axis=1)
    strips[empty] = _busiest(hits[empty])
    starts = np.concatenate([_starts(strips, recipe, rng) for _ in range(recipe.per_image)])
    image = np.tile(np.arange(len(hits)), recipe.per_image)
    column = starts[:, None] + np.arange(recipe.width)
    pieces = [words[image[:, None], :, column].transpose(0, 2, 1) for words in padded]
    counts = np.ones(len(hits), np.float32) if weight is None else weight
    kept, true = (np.ascontiguousarray(part) for part in (pieces[0], pieces[1] != 0))
    return Pieces(kept, true, counts[image])


def _starts(
    strips: NDArray[np.bool_], recipe: Crops, rng: np.random.Generator
) -> NDArray[np.int64]:
    """First strip of a piece of each image, counted in the padded image.

    strips: which ones to choose from, shape (images, 384).
    """
    images, last = len(strips), STRIPS + 2 * recipe.margin - recipe.width
    anywhere = rng.integers(0, last + 1, images)
    chosen = (rng.random(strips.shape) * strips).argmax(axis=1) + recipe.margin
    inside = rng.integers(recipe.margin, recipe.width - recipe.margin, images)
    around = np.clip(chosen - inside, 0, last)
    return np.where(rng.random(images) < recipe.anywhere, anywhere, around)


def _busiest(hits: Words) -> NDArray[np.bool_]:
    """The strips of each image with most layers hit near them, in two partitions that touch;
    shape (images, 384)."""
    pairs = hits[:, :-1] | hits[:, 1:]
    padded = np.pad(pairs, ((0, 0), (0, 0), (NEAR, NEAR)))
    near = np.zeros_like(pairs)
    for shift in range(2 * NEAR + 1):
        near |= padded[:, :, shift : shift + STRIPS]
    layers = np.bitwise_count(near).max(axis=1)
    return np.asarray(layers == layers.max(axis=1, keepdims=True))
