"""The process of hls4ml's default conversion: TensorFlow, QKeras and an hls4ml that is untouched.

Started by :mod:`trigger_ml.frontends.default_client` with ``python -m
trigger_ml.frontends.default_worker``. It answers requests as :mod:`trigger_ml.serving` says. The
process that makes firmware puts layers of its own into hls4ml; here nothing is put into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trigger_ml.frontends.default_source import DefaultSide, evaluated
from trigger_ml.frontends.folding import Arrays
from trigger_ml.frontends.keras_models import stored_arrays
from trigger_ml.frontends.model_file import first_line
from trigger_ml.frontends.qkeras_powers import allow_negative_integers
from trigger_ml.keras2 import bind_keras
from trigger_ml.serving import serve


class _Server:
    """Holds the model between requests."""

    def __init__(self) -> None:
        self._architecture = ""
        self._weights: Arrays = {}
        self._side = DefaultSide()

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take a model: an architecture with the last activation, and a file of weights.

        onnx: the file that it was read from, or empty. Returns why hls4ml's own reader of ONNX
        does not take that, or nothing.
        """
        self._architecture = request["architecture"]
        self._weights = stored_arrays(request["weights"])
        return {"onnx": _onnx_problem(request["onnx"]) if request["onnx"] else ""}

    def convert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Convert as hls4ml does when nothing is set, but for the changes that are asked for."""
        return self._side.convert(self._architecture, self._weights, request)

    def evaluate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the model says with its last activation, flat rows of doubles."""
        np.save(request["outputs"], evaluated(self._architecture, self._weights, request["inputs"]))
        return {}

    def compare(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a model makes of what the layers of the last conversion gave."""
        weights = stored_arrays(request["weights"])
        return self._side.compare(request["architecture"], weights, request)


def _onnx_problem(file: str) -> str:
    """What hls4ml's own reader says of an ONNX file, in a line; empty where it takes the file."""
    import hls4ml
    import onnx

    model = onnx.load_model_from_string(Path(file).read_bytes())
    try:
        hls4ml.utils.config_from_onnx_model(model, granularity="name", backend="Vitis")
    except Exception as error:  # hls4ml raises what it likes.
        return f"{type(error).__name__}: {first_line(error)}"
    return ""


def main() -> None:
    """Answer requests until the input ends."""
    bind_keras()
    allow_negative_integers()
    # QKeras 0.9 looks for scales with a function that NumPy 2 has under this name alone.
    vars(np)["product"] = np.prod
    server = _Server()
    serve(
        {
            "load": server.load,
            "convert": server.convert,
            "evaluate": server.evaluate,
            "compare": server.compare,
        }
    )


if __name__ == "__main__":
    main()
