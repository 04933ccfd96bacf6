"""Which codes of a layer's type the data really uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.graph.interpreter import chunk_events, trace_edges
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType
from trigger_ml.report.sections import Range

__all__ = ["ObservedRange", "observe"]


@dataclass(frozen=True, slots=True)
class ObservedRange:
    """Codes seen on one edge of the graph.

    any_bit: bitwise OR of all codes. at_limit: how many sit at the type's largest code or, in
    a signed type, at its smallest. magnitude_histogram: how many take 0, 1, 2, ... bits, the
    sign not counted, up to MAX_WIDTH.
    """

    elements: int
    min_code: int
    max_code: int
    any_bit: int
    at_limit: int
    magnitude_histogram: tuple[int, ...]

    @classmethod
    def of(cls, codes: Codes, kind: FixedType) -> ObservedRange:
        """Look at codes of any shape. Raises DataError when there are none."""
        if codes.size == 0:
            raise DataError(Blocker("ranges", "no codes were seen", "give at least one event"))
        low, high = int(codes.min()), int(codes.max())
        at_limit = int((codes == kind.max_code).sum())
        if kind.signed:
            at_limit += int((codes == kind.min_code).sum())
        histogram = np.bincount(_magnitude_bits(codes).ravel(), minlength=MAX_WIDTH + 1)
        return cls(
            codes.size,
            low,
            high,
            int(np.bitwise_or.reduce(codes, axis=None)),
            at_limit,
            tuple(histogram.tolist()),
        )

    def merge(self, other: ObservedRange) -> ObservedRange:
        """Both together: for events that are looked at in pieces."""
        return ObservedRange(
            self.elements + other.elements,
            min(self.min_code, other.min_code),
            max(self.max_code, other.max_code),
            self.any_bit | other.any_bit,
            self.at_limit + other.at_limit,
            tuple(
                mine + theirs
                for mine, theirs in zip(
                    self.magnitude_histogram, other.magnitude_histogram, strict=True
                )
            ),
        )

    def to_range(self, kind: FixedType) -> Range:
        """As a section of the report."""
        top = max(k for k, count in enumerate(self.magnitude_histogram) if count)
        idle = (self.any_bit & -self.any_bit).bit_length() - 1 if self.any_bit else kind.width
        return Range(
            elements=self.elements,
            min_code=self.min_code,
            max_code=self.max_code,
            used_bits=top + int(self.min_code < 0),
            idle_low_bits=idle,
            saturated_fraction=self.at_limit / self.elements,
            magnitude_histogram=self.magnitude_histogram[: top + 1],
        )


def observe(graph: FixedGraph, codes: Codes) -> dict[str, ObservedRange]:
    """Codes seen on every edge of a graph, by node, for rows of input codes."""
    ranges: dict[str, ObservedRange] = {}
    chunk = chunk_events(graph)
    for start in range(0, len(codes), chunk):
        for name, edge in trace_edges(graph, codes[start : start + chunk]).items():
            seen = ObservedRange.of(edge, graph.by_name[name].type)
            ranges[name] = ranges[name].merge(seen) if name in ranges else seen
    return ranges


def _magnitude_bits(codes: Codes) -> NDArray[np.int64]:
    """Bits of each code without its sign, as two's complement counts them: -8 takes 3."""
    folded = np.where(codes < 0, ~codes, codes)
    bits = np.frexp(folded.astype(np.float64))[1].astype(np.int64)
    # Above 2**53 the conversion may round up to the next power of two.
    rounded_up = (bits > 0) & (folded >> np.maximum(bits - 1, 0) == 0)
    return np.asarray(bits - rounded_up, dtype=np.int64)
