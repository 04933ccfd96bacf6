"""What all operations of the fixed-point graph are derived from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Operation"]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """Base of all operations; ``kind`` is the name in the JSON form."""

    kind: ClassVar[str] = ""
