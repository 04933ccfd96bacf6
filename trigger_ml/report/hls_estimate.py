"""The estimate of the HLS project in report.json: a section of its own, which judges nothing.

Its figures are of another implementation than the RTL's and were held against no vendor tool, so
they stand beside neither its counts nor its latency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.report.base import Section

__all__ = ["HLS_ERROR", "HLS_ESTIMATE", "HlsEstimateSection", "HlsRow", "HlsTotal", "hls_section"]

HLS_ESTIMATE: Final = "hls4ml estimate"
HLS_ERROR: Final = (
    "published rules of thumb for the HLS project, not the RTL; held against no vendor tool, so "
    "a factor of two either way is no surprise; judges nothing"
)


class HlsRow(Section):
    """One layer with weights, as :class:`trigger_ml.synth.hls_estimate.HlsLayer`."""

    name: str
    strategy: str
    reuse_factor: int
    multiplications: int
    multipliers: int
    ii_cycles: int
    latency_cycles: int
    dsp: int
    lut: float
    ff_at_least: int
    bram36: int


class HlsTotal(Section):
    """Sums over the layers. ff_at_least: each layer's outputs, held once."""

    multiplications: int
    multipliers: int
    dsp: int
    lut: float
    ff_at_least: int
    bram36: int


class HlsEstimateSection(Section):
    """The whole project. not_counted: layers whose resources are in no figure. error: how far it
    may be off, in words."""

    layers: tuple[HlsRow, ...]
    not_counted: tuple[str, ...]
    total: HlsTotal
    latency_cycles: int
    latency_ns: float
    ii_cycles: int
    clock_mhz: float
    error: str = HLS_ERROR


def hls_section(data: Mapping[str, Any] | None) -> HlsEstimateSection | None:
    """From ``HlsEstimate.to_json()``; None where nothing was estimated."""
    return None if data is None else HlsEstimateSection.model_validate(data)
