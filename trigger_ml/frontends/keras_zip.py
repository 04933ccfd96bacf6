"""The zip that Keras 3 writes as ``.keras``, opened with care."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import BROKEN, first_line

__all__ = ["zip_members"]

MOST_BYTES: Final = 1 << 30
"""A member that unpacks to more is no network for a trigger, and may be a zip bomb."""


def zip_members(
    data: bytes, path: Path, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, bytes]:
    """Content of these members, and of optional ones where they are there.

    path: what the messages call the file. Raises ModelError.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            missing = [name for name in names if name not in sizes]
            if missing:
                what = f"holds no {' and no '.join(missing)}"
                fix = "save the whole model with model.save('model.keras')"
                raise ModelError(Blocker(str(path), what, fix))
            names = [*names, *(name for name in optional if name in sizes)]
            large = [name for name in names if sizes[name] > MOST_BYTES]
            if large:
                raise ModelError(Blocker(f"{path} {large[0]}", f"unpacks to {sizes[large[0]]} B"))
            return {name: archive.read(name) for name in names}
    except BROKEN as error:
        raise ModelError(
            Blocker(str(path), f"cannot be read as a zip: {first_line(error)}", "is it whole?")
        ) from error
