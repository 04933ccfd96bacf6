"""Models of HGQ2 and the graphs that hls4ml makes of them: ``python -m tests.frontends.hgq_graphs
FOLDER``. Runs where HGQ2 can be imported; writes FOLDER/found.json."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.layers.cases_hgq_images import CASES
from tests.layers.hgq_drawn import usual_quantizers
from trigger_ml.config import Config
from trigger_ml.frontends.hgq_convert import hgq_model_graph
from trigger_ml.frontends.hgq_exact import inexact_layers
from trigger_ml.frontends.hgq_streams import hgq_interface
from trigger_ml.frontends.keras_v3 import read_keras_v3
from trigger_ml.graph.from_hls4ml import read_graph
from trigger_ml.graph.interpreter import evaluate

EVENTS = 500

UNROLLED = "a stream's network, unrolled"
SETTINGS = {"top": "top", "backend": "Vitis", "part": "", "clock_ns": 5.0}


def main(folder: Path) -> None:
    """Compare every model with its graph."""
    import keras

    found = {}
    for case in CASES:
        path = folder / "source.keras"
        case.build(path)
        copy = folder / "copy.keras"
        file, config = read_keras_v3(path), Config.model_validate(yaml.safe_load(case.config) or {})
        file.write_copy(copy)
        io_type = hgq_interface(file.layers, file.outputs, config)
        model = keras.models.load_model(copy, compile=False)
        found[case.name] = compare(model, folder, io_type)
        if io_type == "io_stream":
            found[UNROLLED] = compare(model, folder)
    for name, build in WRAPPING.items():
        found[name] = compare(build(), folder)
    (folder / "found.json").write_text(json.dumps(found))


def compare(model: Any, folder: Path, io_type: str = "io_parallel") -> dict[str, Any]:
    """How a model and its graph agree on inputs all over their type."""
    blockers = [str(blocker) for blocker in inexact_layers(model)]
    request = {**SETTINGS, "io_type": io_type, "directory": str(folder / "hls")}
    graph = read_graph(hgq_model_graph(model, request), "top")
    kind, random = graph.input_nodes[0].type, np.random.default_rng(3)
    codes = random.integers(kind.min_code, kind.max_code + 1, (EVENTS, graph.input_size))
    values = kind.decode(codes).astype(np.float32).reshape(EVENTS, *model.input_shape[1:])
    outputs = np.asarray(model.predict(values, verbose=0)).reshape(EVENTS, -1)
    made = graph.output_nodes[0].type.decode(evaluate(graph, codes))
    return {
        "inexact": blockers,
        "mismatches": int((made != outputs).sum()),
        "distinct": len(np.unique(outputs)),
        "io_type": io_type,
        "streamable": graph.streamable,
        "sources": [node.source for node in graph.nodes],
        "kinds": sorted({node.operation.kind for node in graph.nodes}),
    }


def _wrapping(
    between: Callable[[Any], list[Any]], function: str, signs: int, integers: tuple[int, int]
) -> Callable[[], Any]:
    """Narrow numbers, and behind some layers a quantizer whose widths differ.

    function: what makes the numbers, "linear" with a sign or "relu" without. signs, integers: of
    the quantizer, the latter from the first to the one before the second.
    """

    def build() -> Any:
        import keras
        from hgq.layers import QConv2D

        with usual_quantizers():
            source = keras.Input((2, 2, 1), name="x")
            tensor = QConv2D(2, 1, use_bias=False, activation=function, name="first")(source)
            for layer in between(keras.layers):
                tensor = layer(tensor)
            model = keras.Model(source, QConv2D(1, 1, use_bias=False, name="last")(tensor))
        random = np.random.default_rng(4)
        for name, sign, limits in (("first", 1, (1, 2)), ("last", signs, integers)):
            layer = model.get_layer(name)
            _draw(random, layer.iq.quantizer._k, (sign, sign + 1))
            _draw(random, layer.iq.quantizer._i, limits)
            _draw(random, layer.iq.quantizer._f, (1, 2))
            _draw(random, layer.kq.quantizer._b, (2, 3))
            _draw(random, layer.kq.quantizer._i, (1, 2))
            layer._kernel.assign(np.ones(tuple(layer._kernel.shape)))
        return model

    return build


def _draw(random: np.random.Generator, variable: Any, limits: tuple[int, int]) -> None:
    """Whole numbers from the first limit to the one before the second."""
    variable.assign(random.integers(*limits, tuple(variable.shape)))


CARRIERS: dict[str, Callable[[Any], list[Any]]] = {
    "next": lambda _keras: [],
    "behind a permutation": lambda keras: [keras.Permute((2, 1, 3), name="turn")],
    "behind a rim": lambda keras: [keras.ZeroPadding2D(1, name="around")],
    "behind a part": lambda keras: [keras.Cropping2D(((0, 1), (0, 0)), name="part")],
    "behind copies": lambda keras: [keras.UpSampling2D(2, name="twice")],
}
WRAPPING = {
    **{
        f"read without a sign, {where}": _wrapping(between, "linear", 0, (3, 6))
        for where, between in CARRIERS.items()
    },
    **{
        f"read with a sign, {where}": _wrapping(between, "relu", 1, (0, 1))
        for where, between in CARRIERS.items()
    },
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
