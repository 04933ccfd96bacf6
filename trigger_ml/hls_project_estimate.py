"""The estimate of a design's HLS project, in plain form."""

from __future__ import annotations

from typing import Any

from trigger_ml.design import Design
from trigger_ml.synth.hls_estimate import estimate_hls, read_choices

__all__ = ["hls_estimate"]


def hls_estimate(design: Design) -> dict[str, Any]:
    """What the project that hls4ml wrote might take; see :mod:`trigger_ml.synth.hls_estimate`."""
    stream = design.hls.io_type == "io_stream"
    choices = read_choices(design.hls.directory, stream=stream)
    clock_mhz = design.config.target.clock_mhz
    return estimate_hls(design.network, choices, clock_mhz, stream=stream).to_json()
