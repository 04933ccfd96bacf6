"""The family of ReLU in hls4ml 1.3.0, where its own reading of Keras or its types are wrong.

Its reader drops the bound and the slope of a ReLU layer, and its bit-exact pass has no types for
relu6 and PReLU. Here ReLU becomes the layer that it is: relu, LeakyReLU, or a ReLU that is cut at
a whole number, which calls ``relu_max`` of hls4ml's own C++.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLIPPED", "register_rectifiers"]

CLIPPED: Final = "ClippedRelu"
"""Class of the layer that a ReLU with a bound becomes."""
CONFIG: Final = """struct config{index} : nnet::activ_config {{
    static const unsigned n_in = {n_in};
    static const unsigned io_type = nnet::{iotype};
}};\n"""
CALL: Final = "nnet::relu_max<{input_t}, {output_t}, {bound}, {config}>({input}, {output});"
HEADERS: Final = ["nnet_utils/nnet_activation.h", "nnet_utils/nnet_activation_stream.h"]


def register_rectifiers(backend: str) -> None:
    """Teach hls4ml these layers, for a backend by its own spelling. Twice does no harm."""
    from hls4ml.backends import get_backend
    from hls4ml.converters.keras_v2_to_hls import layer_handlers
    from hls4ml.model.layers import layer_map
    from hls4ml.model.optimizer import get_backend_passes

    if CLIPPED not in layer_map:
        _register_layer()
        _register_types(layer_map[CLIPPED])
        layer_handlers["ReLU"] = _read_relu
        layer_handlers["Activation"] = _with_relu6(layer_handlers["Activation"])
        for kind in ("LeakyReLU", "ThresholdedReLU"):
            layer_handlers[kind] = _without_zero(layer_handlers[kind])
    if not any(CLIPPED.lower() in name for name in get_backend_passes(backend)):
        for template in _templates(layer_map[CLIPPED]):
            get_backend(backend).register_template(template)


def _register_layer() -> None:
    from hls4ml.model.attributes import Attribute
    from hls4ml.model.layers import Layer, register_layer

    class ClippedRelu(Layer):  # type: ignore[misc]
        """A ReLU that is cut at a whole number."""

        _expected_attributes: ClassVar = [Attribute("n_in"), Attribute("bound")]

        def initialize(self) -> None:
            self.add_output_variable(self.get_input_variable().shape)

    register_layer(CLIPPED, ClippedRelu)


def _templates(layer_class: Any) -> tuple[type, type]:
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate

    class Configuration(LayerConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class)

        def format(self, node: Any) -> str:
            return CONFIG.format(**self._default_config_params(node))

    class Call(FunctionCallTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(layer_class, include_header=HEADERS)

        def format(self, node: Any) -> str:
            return CALL.format(**self._default_function_params(node))

    return Configuration, Call


def _register_types(layer_class: Any) -> None:
    """Rules of the bit-exact pass: sign bit, integer bits without it, fraction bits."""
    from hls4ml.model.layers import PReLU
    from hls4ml.model.optimizer.passes import bit_exact

    def clipped(layer: Any) -> tuple[NDArray[Any], ...]:
        signed, integer, fraction = bit_exact.get_input_kifs(layer)[0]
        most = int(layer.get_attr("bound")).bit_length()
        # The bound itself is a whole number, whatever the fraction bits of the input.
        return np.zeros_like(signed), np.minimum(integer, most), np.maximum(fraction, 0)

    def sloped(layer: Any) -> tuple[NDArray[Any], ...]:
        signed, integer, fraction = bit_exact.get_input_kifs(layer)[0]
        slopes = np.asarray(layer.attributes["param"].data).reshape(integer.shape)
        below = bit_exact.minimal_kif(slopes)[2]
        # The least code times -1 is one step more than the greatest code.
        turned = (signed != 0) & (slopes < 0)
        return (
            np.asarray((signed != 0) & (slopes > 0), dtype=np.int16),
            np.asarray(integer + turned, dtype=np.int16),
            np.asarray(fraction + np.maximum(below, 0), dtype=np.int16),
        )

    bit_exact._produce_kif.register(layer_class, clipped)
    bit_exact._produce_kif.register(PReLU, sloped)


def _read_relu(layer: Any, inputs: Any, shapes: Any, _reader: Any) -> tuple[Any, Any]:
    """A layer of hls4ml for Keras' ReLU layer."""
    from hls4ml.converters.keras_v2_to_hls import parse_default_keras_layer

    config = layer["config"]
    made = parse_default_keras_layer(layer, inputs)
    if config.get("max_value") is not None:
        return _clipped(made, int(config["max_value"]), shapes)
    if config.get("negative_slope"):
        made.update(
            class_name="LeakyReLU",
            activation="LeakyReLU",
            activ_param=float(config["negative_slope"]),
        )
    else:
        made.update(class_name="Activation", activation="relu")
    return made, list(shapes[0])


def _with_relu6(usual: Any) -> Any:
    """A reader of activation layers that knows relu6."""

    def read(layer: Any, inputs: Any, shapes: Any, reader: Any) -> tuple[Any, Any]:
        made, shape = usual(layer, inputs, shapes, reader)
        if made.get("activation") != "relu6":
            return made, shape
        del made["activation"]
        return _clipped(made, 6, shapes)

    return read


def _without_zero(usual: Any) -> Any:
    """A reader of layers with a number, of which hls4ml makes no type where it is 0: a ReLU."""

    def read(layer: Any, inputs: Any, shapes: Any, reader: Any) -> tuple[Any, Any]:
        made, shape = usual(layer, inputs, shapes, reader)
        if made["activ_param"] == 0:
            made.update(class_name="Activation", activation="relu")
        return made, shape

    return read


def _clipped(made: Any, bound: int, shapes: Any) -> tuple[Any, Any]:
    made.update(class_name=CLIPPED, bound=bound, n_in=prod(shapes[0][1:]))
    return made, list(shapes[0])
