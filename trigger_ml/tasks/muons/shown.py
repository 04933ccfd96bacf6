"""Event displays of a file of chamber images, written as pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ConfigError, DataError
from trigger_ml.files import appearing
from trigger_ml.tasks.muons.chamber import STRIPS
from trigger_ml.tasks.muons.display import event_display
from trigger_ml.tasks.muons.images import SHAPE, Images
from trigger_ml.tasks.muons.store import count_images, read_muons

__all__ = ["Shown", "image_title", "read_masks", "show_muons"]

FORMS: Final[dict[str, Literal["png", "svg"]]] = {".png": "png", ".svg": "svg"}

Shown = tuple[Path, str]
"""A picture, and its title."""


def show_muons(
    path: Path,
    numbers: Sequence[int],
    output: Path,
    masks: Path | None = None,
    strips: tuple[int, int] = (0, STRIPS),
) -> list[Shown]:
    """Draw images of a file. One goes to ``output``, several to ``<output>-<number>.<suffix>``.

    numbers: rows of the file. masks: see :func:`read_masks`.

    Raises DataError for a file that cannot be used and rows that are not there, ConfigError for
    another suffix than .png and .svg, BuildError when a picture cannot be written. All pictures
    are drawn before the first is written.
    """
    form = FORMS.get(output.suffix.lower())
    if form is None:
        what = f"must end in .png or .svg, found {output.suffix or 'no suffix'}"
        raise ConfigError(Blocker(str(output), what))
    images = count_images(path)
    span = f"is not there: images 0 to {images - 1} are"
    wrong = [number for number in numbers if not 0 <= number < images]
    if wrong:
        raise DataError([Blocker(f"{path}: image {number}", span) for number in wrong])
    marked = read_masks(masks, images) if masks else None
    drawn = []
    for number in numbers:
        image = read_muons(path, number, number + 1)
        mask = None if marked is None else marked[number]
        title = image_title(number, image)
        content = event_display(
            image.hits[0], image.truth[0], mask, form=form, title=title, strips=strips
        )
        drawn.append((_name(output, number, len(numbers)), title, content))
    for name, _, content in drawn:
        with appearing(name) as part:
            part.write_bytes(content)
    return [(name, title) for name, title, _ in drawn]


def _name(output: Path, number: int, pictures: int) -> Path:
    return output if pictures == 1 else output.with_stem(f"{output.stem}-{number}")


def image_title(number: int, image: Images) -> str:
    """What is in an image, in one line. image: one row."""
    muons = [
        f"{pt:.0f} GeV at eta {eta:.2f}, strip {strip:.0f}"
        for pt, eta, strip in zip(image.pt[0], image.eta[0], image.strip[0], strict=True)
        if np.isfinite(pt)
    ]
    parts = [f"image {number}", f"background \u00d7 {image.background[0]:g}"]
    dead = [str(layer) for layer in range(8) if image.dead_layers[0] >> layer & 1]
    parts += [f"dead layers {', '.join(dead)}"] if dead else []
    return "; ".join([*parts, *(muons or ["no muon"])])


def read_masks(path: Path, images: int) -> NDArray[np.bool_]:
    """The array ``mask`` of an .npz file: (images, 8, 384), what is not zero is marked.

    Raises DataError for a file without it, or of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "mask" not in arrays:
                there = ", ".join(arrays) or "nothing"
                raise DataError(Blocker(str(path), f"must hold the array mask, it has {there}"))
            mask: NDArray[Any] = arrays["mask"]
    except BlockedError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(Blocker(str(path), f"is not an .npz file: {error}")) from error
    if mask.ndim == 4 and mask.shape[-1] == 1:
        mask = mask[..., 0]
    if mask.shape != (images, *SHAPE):
        what = f"must have the shape {(images, *SHAPE)}, found {mask.shape}"
        raise DataError(Blocker(f"{path}: mask", what, "give a mask for every image of the file"))
    return np.asarray(mask != 0)
