"""What `trigger-ml inspect` finds. A figure that is not known is None, never 0."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["SCHEMA", "Inspection", "LayerData", "LayerFigures", "Totals"]

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class LayerData:
    """What events do to one layer's output.

    minimum, maximum: values seen. saturated_fraction: elements at the type's largest code or, of
    a signed type, its smallest. unused_top_bits, unused_low_bits: of the type's width, never
    used; a top bit is used where a value needs it.
    """

    minimum: float
    maximum: float
    saturated_fraction: float
    unused_top_bits: int
    unused_low_bits: int


@dataclass(frozen=True, slots=True)
class LayerFigures:
    """One node of the graph, or a layer that has none.

    kind: the operation, or the class of a layer that is not known. reads: names of what it
    reads. shape: of one event. type: of every element. weights, zero_weights: with biases; on
    the grid of their type. macs: multiplications with weights for one event. lut: about, in the
    whole firmware. latency_ns: its share of the pipeline, room for routing included; None where
    it is counted with another layer. note: what is not known and why.
    """

    name: str
    kind: str
    reads: tuple[str, ...]
    shape: tuple[int, ...] | None
    type: str | None
    weights: int | None = None
    zero_weights: int | None = None
    weight_type: str | None = None
    macs: int | None = None
    lut: float | None = None
    latency_ns: float | None = None
    note: str = ""
    data: LayerData | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the whole firmware.

    parameters: weights and biases. nonzero: those that are not zero on their grids. macs: for
    one event. lut_share, slr_share: of the part and of one SLR, 0 to 1.
    """

    parameters: int
    nonzero: int | None
    macs: int | None
    lut: float | None
    lut_share: float | None
    slr_share: float | None
    latency_cycles: int | None
    latency_ns: float | None
    ii_cycles: int | None
    ii_ns: float | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything found in one model.

    file: as the user gave it. tail: a last activation that the firmware leaves out. read_by:
    "direct" (NumPy alone) or "hls4ml". estimate: "rough" (rules of thumb) or "cost_model" (traced
    by alkaid). events: looked at, None without data. notes: what the reader of the figures must
    know.
    """

    file: str
    format: str
    read_by: str
    tail: str
    part: str
    clock_mhz: float
    estimate: str
    layers: tuple[LayerFigures, ...]
    totals: Totals
    events: int | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"schema": SCHEMA, **asdict(self)}
