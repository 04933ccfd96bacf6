"""What the streaming C++ of hls4ml 1.3.0 lacks, written into a project.

``nnet_activation.h`` has a ReLU that is cut at a whole number, ``relu_max``; of the streaming
header there is none, so here is one with the same comparisons, for the backends of AMD. And
``nnet_pooling_stream.h`` asserts that windows touch: its line buffer and its counters, which are
those of the convolutions, also make windows that overlap or skip, so the assertion goes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from trigger_ml.frontends.hls_rectifiers import CLIPPED

__all__ = ["complete_stream"]

HEADERS: Final = Path("firmware") / "nnet_utils"
ACTIVATION: Final = HEADERS / "nnet_activation_stream.h"
POOLING: Final = HEADERS / "nnet_pooling_stream.h"
TOUCH: Final = r" *assert\(CONFIG_T::pool_\w+ == CONFIG_T::stride_\w+[^;]*\);\n"
START: Final = "namespace nnet {\n"
STREAM: Final = "hls::stream<"
"""Streams of other backends have other names."""
RELU_MAX: Final = """
// Written by trigger_ml: relu_max of nnet_activation.h for a stream of pixels.
template <class data_T, class res_T, int MAX_INT, typename CONFIG_T>
void relu_max(hls::stream<data_T> &data, hls::stream<res_T> &res) {
ReLUMaxLoop:
    for (int i = 0; i < CONFIG_T::n_in / res_T::size; i++) {
        #pragma HLS PIPELINE

        data_T pixel = data.read();
        res_T cut;
        PRAGMA_DATA_PACK(cut)

    ReLUMaxPackLoop:
        for (int j = 0; j < res_T::size; j++) {
            #pragma HLS UNROLL
            if (pixel[j] < 0)
                cut[j] = 0;
            else if (pixel[j] > MAX_INT)
                cut[j] = MAX_INT;
            else
                cut[j] = pixel[j];
        }
        res.write(cut);
    }
}
"""


def complete_stream(project: Any, directory: Path) -> None:
    """Add to the project that was written into ``directory`` what it calls and hls4ml has not."""
    if str(project.config.get_config_value("IOType")) != "io_stream":
        return
    layers = list(project.get_layers())
    if any(layer.class_name == CLIPPED for layer in layers):
        _edit(directory / ACTIVATION, re.escape(START), f"{START}{RELU_MAX}", 1)
    if any(_strides(layer) for layer in layers if layer.class_name.startswith("Pooling")):
        _edit(directory / POOLING, TOUCH, "", 0)


def _strides(layer: Any) -> bool:
    """Whether the windows of a pooling do not touch."""
    sides = ("height", "width") if layer.class_name.endswith("2D") else ("width",)
    return any(layer.get_attr(f"pool_{side}") != layer.get_attr(f"stride_{side}") for side in sides)


def _edit(path: Path, before: str, after: str, count: int) -> None:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if STREAM in text:
        path.write_text(re.sub(before, lambda _: after, text, count=count), encoding="utf-8")
