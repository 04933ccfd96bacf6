"""The geometry of a stream of columns, before any logic.

A *column* is everything at one position of the width axis: height x channels. Every *step* brings
``lanes`` columns of an image, so an image takes ``groups`` steps. Layers with the same weights at
every position become one kernel each, which turns a window of columns into one column and stands
there once for each lane.

Column p of an image is lane j of step k, counted from the image's first step, where
k * lanes + j = p + offset: every window that looks to the right of its centre makes the stream lag
by some columns, and the last columns of an image leave with the first steps after it. Those steps
belong to the next image, or are empty ones; a tap that would look across the border of an image is
made zero there (:class:`Border`), which is exactly the padding of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from trigger_ml.columns import ColumnLayout
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import FixedType

__all__ = [
    "Border",
    "KernelPlan",
    "Pick",
    "Read",
    "Repeat",
    "RowInput",
    "Stream",
    "StreamPlan",
]


@dataclass(frozen=True, slots=True)
class Stream:
    """Columns on their way through the chip.

    name: node of the graph whose edge it carries. height, channels: of a column. kind: type of
    its elements. width: columns of an image. lanes: columns that a step brings. offset: columns
    by which lane 0 of an image's first step lies before column 0.
    """

    name: str
    height: int
    channels: int
    kind: FixedType
    width: int
    lanes: int
    offset: int

    @property
    def column_bits(self) -> int:
        """Bits of a column: rows outside, channels inside, the first element lowest."""
        return self.height * self.channels * self.kind.width

    @property
    def layout(self) -> ColumnLayout:
        """How its images are given as groups of columns."""
        return ColumnLayout(self.height, self.width, self.channels, self.lanes)


@dataclass(frozen=True, slots=True)
class Read:
    """How a kernel reads a stream.

    history: columns of earlier steps that are kept; the window of a step is these, then the
    step's own lanes. start: first column of output lane 0 in it.
    """

    stream: Stream
    history: int
    start: int


@dataclass(frozen=True, slots=True)
class Border:
    """A tap of an output lane that lies outside the image at some steps.

    first, last: the tap is zero when the image's first (last) step was so many steps ago.
    within: likewise the first, and no other image has begun since: an image that lost columns
    ends before its last step, which one that is cut short never comes to.
    """

    lane: int
    tap: int
    first: tuple[int, ...]
    last: tuple[int, ...]
    within: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pick:
    """One row of one column of a window. tap: the column, from 0 for the first one."""

    tap: int
    row: int


RowInput = tuple[tuple[Pick | None, ...], ...]
"""Rows that an input of a kernel for single rows is made of: for each row of the output, as many
picks as the input has rows; None is a row of zeros."""


@dataclass(frozen=True, slots=True)
class KernelPlan:
    """One kernel: ``taps`` columns in, one column or one row of it out.

    graph: what it computes. A kernel for columns has inputs of shape (height, taps, channels),
    one for each of ``reads``, and an output of shape (height, 1, channels); it stands there once
    for each lane of its output. A kernel for single rows has an input of shape (rows, 1, channels)
    for each of ``rows`` and an output of shape (1, 1, channels); it stands there once for each
    row of each lane. stride: columns from a lane's first tap to the next lane's. left: zero
    columns before the image. rows: which of ``reads`` an input's rows come from, and the rows;
    empty in a kernel for columns.
    """

    name: str
    graph: FixedGraph
    reads: tuple[Read, ...]
    taps: int
    stride: int
    left: int
    output: Stream
    borders: tuple[Border, ...]
    rows: tuple[tuple[int, RowInput], ...] = ()

    @property
    def places(self) -> int:
        """Places of a lane at which the kernel stands: one, or one for each row."""
        return self.output.height if self.rows else 1

    @property
    def instances(self) -> int:
        """How often the kernel stands in the top."""
        return self.output.lanes * self.places


@dataclass(frozen=True, slots=True)
class Repeat:
    """Nearest-neighbour upsampling: wires. rows, columns: copies of each."""

    source: Stream
    rows: int
    columns: int
    output: Stream


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A whole network as a stream.

    groups: steps of an image. flush: steps after an image's last until its last column has left.
    parts: kernels and repeats in evaluation order. last: history and lag of the output:
    ``last.history`` columns kept so that out groups begin at column 0 again.
    """

    graph: FixedGraph
    source: Stream
    parts: tuple[KernelPlan | Repeat, ...]
    result: Stream
    groups: int

    @property
    def flush(self) -> int:
        """Steps by which an output group lags the input group of the same columns."""
        return ceil(self.result.offset / self.result.lanes)

    @property
    def history(self) -> int:
        """Columns of the output kept so that its groups begin where those of the input do."""
        return self.flush * self.result.lanes - self.result.offset

    @property
    def kernels(self) -> tuple[KernelPlan, ...]:
        """Kernels in evaluation order."""
        return tuple(part for part in self.parts if isinstance(part, KernelPlan))
