"""Images as groups of columns: how a streamed top takes and gives them.

A column is everything at one position of an image's width: height x channels. A streamed top
takes ``lanes`` columns a clock; an image is ``groups`` such groups, the last one filled up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from trigger_ml.graph.types import Codes

__all__ = ["ColumnLayout", "StreamPorts"]


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """One side of a streamed top. lanes: columns of a group."""

    height: int
    width: int
    channels: int
    lanes: int

    @property
    def elements(self) -> int:
        """Elements of a group."""
        return self.lanes * self.height * self.channels

    def to_groups(self, codes: Codes, groups: int) -> Codes:
        """Flat images as groups of columns.

        codes: shape (images, height * width * channels), rows outside. Returns shape (images *
        groups, elements): column after column, rows outside in each; columns beyond the image
        are zero.
        """
        images = codes.reshape(len(codes), self.height, self.width, self.channels)
        beyond = groups * self.lanes - self.width
        padded = np.pad(images.transpose(0, 2, 1, 3), ((0, 0), (0, beyond), (0, 0), (0, 0)))
        return np.ascontiguousarray(padded).reshape(len(codes) * groups, -1)

    def from_groups(self, rows: Codes, groups: int) -> Codes:
        """Inverse of :meth:`to_groups`; what lies beyond the image is dropped."""
        columns = rows.reshape(-1, groups * self.lanes, self.height, self.channels)
        images = columns[:, : self.width].transpose(0, 2, 1, 3)
        return np.ascontiguousarray(images).reshape(len(images), -1)


@dataclass(frozen=True, slots=True)
class StreamPorts:
    """Both sides of a streamed top, and the groups of an image.

    kernels: instances of each module that turns a window into a column, by its name. flag_bits:
    of in_flags and out_flags; 0 where there are none.
    """

    groups: int
    source: ColumnLayout
    result: ColumnLayout
    kernels: Mapping[str, int] = field(hash=False)
    flag_bits: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**asdict(self), "kernels": dict(self.kernels)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StreamPorts:
        """Inverse of :meth:`to_json`; builds of before there were flags have none."""
        return cls(
            int(data["groups"]),
            ColumnLayout(**data["source"]),
            ColumnLayout(**data["result"]),
            {str(name): int(count) for name, count in data["kernels"].items()},
            int(data.get("flag_bits", 0)),
        )
