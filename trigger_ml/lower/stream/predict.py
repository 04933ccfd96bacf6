"""A streamed network in alkaid's interpreter: its kernels on every window of every image.

Independent of the graph's interpreter and of the RTL's framing: windows are cut from whole images
with zeros around them, as the layers define it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trigger_ml.graph.types import Codes
from trigger_ml.lower.stream.kernels import Kernel
from trigger_ml.lower.stream.layout import KernelPlan, RowInput, StreamPlan

__all__ = ["predict_stream"]


def predict_stream(plan: StreamPlan, kernels: Mapping[str, Kernel], codes: Codes) -> Codes:
    """Output codes, shape (images, outputs), for flat images of input codes."""
    source = plan.source
    shape = (len(codes), source.height, source.width, source.channels)
    columns = {source.name: codes.reshape(shape).transpose(0, 2, 1, 3)}
    for part in plan.parts:
        if isinstance(part, KernelPlan):
            columns[part.output.name] = _kernel(part, kernels[part.name], columns)
        else:
            read = columns[part.source.name]
            columns[part.output.name] = read.repeat(part.columns, 1).repeat(part.rows, 2)
    return np.ascontiguousarray(columns[plan.result.name].transpose(0, 2, 1, 3)).reshape(
        len(codes), -1
    )


def _kernel(part: KernelPlan, kernel: Kernel, columns: Mapping[str, Codes]) -> Codes:
    """One kernel's columns, shape (images, width, height, channels)."""
    output = part.output
    windows = []
    for read in part.reads:
        whole = columns[read.stream.name]
        reach = (output.width - 1) * part.stride + part.taps - part.left
        right = max(reach - read.stream.width, 0)
        padded = np.pad(whole, ((0, 0), (max(part.left, 0), right), (0, 0), (0, 0)))
        first = np.arange(output.width) * part.stride + max(-part.left, 0)
        taken = padded[:, first[:, None] + np.arange(part.taps)]
        windows.append(taken.reshape(len(whole) * output.width, -1))
    if part.rows:
        windows = [_picked(part, windows[read], read, rows) for read, rows in part.rows]
    out = kernel.predict(np.concatenate(windows, axis=1))
    return out.reshape(-1, output.width, output.height, output.channels)


def _picked(part: KernelPlan, windows: Codes, read: int, rows: RowInput) -> Codes:
    """The rows of one input, for each place of a kernel for single rows one after the other."""
    stream = part.reads[read].stream
    by_row = windows.reshape(len(windows), part.taps, stream.height, stream.channels)
    picked = np.zeros((len(windows), len(rows), len(rows[0]), stream.channels), dtype=np.int64)
    for place, picks in enumerate(rows):
        for number, pick in enumerate(picks):
            if pick is not None:
                picked[:, place, number] = by_row[:, pick.tap, pick.row]
    return picked.reshape(len(windows) * len(rows), -1)
