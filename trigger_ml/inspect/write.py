"""Write a model's figures or its drawing into a file, by the file's suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.files import appearing
from trigger_ml.inspect.figures import Inspection

__all__ = ["require_kind", "write_inspection"]

KINDS: Final = (".html", ".svg", ".png")


def require_kind(path: Path) -> None:
    """Refuse a file of another kind, before anything is done for it. Raises ConfigError."""
    if path.suffix.lower() not in KINDS:
        what = f"{path.suffix or 'no suffix'} is no kind of page or drawing"
        raise ConfigError(Blocker(str(path), what, f"use {', '.join(KINDS)}"))


def write_inspection(inspection: Inspection, path: Path) -> None:
    """Page with table and graph (.html), or the graph alone (.svg, .png)."""
    require_kind(path)
    match path.suffix.lower():
        case ".html":
            from trigger_ml.inspect.page import inspection_page

            data = inspection_page(inspection).encode()
        case ".svg":
            from trigger_ml.inspect.drawing import svg

            data = svg(inspection).encode()
        case _:
            from trigger_ml.inspect.drawing import png

            data = png(inspection)
    with appearing(path) as part:
        part.write_bytes(data)
