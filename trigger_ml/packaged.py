"""Where the files that are not Python live: ``firmware/`` and ``sim/``.

In a checkout they are folders beside the package. A wheel carries them inside it, under
``trigger_ml/_files/``; pyproject.toml says so:

    [tool.hatch.build.targets.wheel.force-include]
    "firmware" = "trigger_ml/_files/firmware"
    "sim" = "trigger_ml/_files/sim"
"""

from __future__ import annotations

from pathlib import Path

from trigger_ml.errors import BuildError

__all__ = ["packaged_folder"]

PACKAGE = Path(__file__).resolve().parent


def packaged_folder(name: str) -> Path:
    """A folder that is shipped with the package: "firmware" or "sim".

    Raises BuildError when this installation lacks it.
    """
    places = (PACKAGE / "_files" / name, PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise BuildError(
        f"this installation of trigger_ml has no folder {name}/ (looked in "
        f"{' and '.join(str(place) for place in places)}); install it again"
    )
