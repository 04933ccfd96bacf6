"""The layers that a network with recurrent ones may hold: read for a project without RTL.

Float layers are read beside those of QKeras: nothing has to be exact there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_recurrent import RECURRENT, RECURRENT_READERS, WRAPPERS
from trigger_ml.frontends.quantizers import is_hard, needs_table

__all__ = ["read_hls_layer", "read_recurrent_network"]

KERAS: Final = (Format.QKERAS_H5, Format.KERAS_JSON, Format.KERAS_ZIP)
BESIDE: Final = (
    "InputLayer",
    "QDense",
    "QActivation",
    "Activation",
    "Softmax",
    "Flatten",
    "Reshape",
)
"""Classes beside recurrent layers that are read as for RTL."""
TABLES: Final[Mapping[str, str]] = {
    "quantized_tanh": "use_real_tanh",
    "quantized_sigmoid": "use_real_sigmoid",
}


def read_recurrent_network(path: Path) -> KerasNetwork | None:
    """A model of Keras or QKeras with recurrent layers; None for a model without any.

    Raises ModelError with everything in it that hls4ml's project cannot have.
    """
    if detect(path) not in KERAS or not _classes(path) & {*RECURRENT, *WRAPPERS}:
        return None
    return read_keras(path, read_hls_layer, shaped=True)


def read_hls_layer(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's parameters that matter, in Keras' own terms.

    Raises ModelError with everything that is wrong in this layer.
    """
    if kind in RECURRENT_READERS:
        return RECURRENT_READERS[kind](name, config)
    if kind == "Dense":
        return _read_dense(name, config)
    if kind not in BESIDE:
        known = ", ".join(("Dense", *BESIDE[1:], *RECURRENT))
        what = f"{kind} beside recurrent layers is not read"
        raise ModelError(Blocker(f"layer {name}", what, f"use {known}"))
    read = read_layer(kind, name, config)
    activation = read.get("activation")
    if isinstance(activation, Mapping) and needs_table(activation) and not is_hard(activation):
        function = str(activation["class_name"])
        if not activation["config"].get(TABLES.get(function, ""), False):
            what = f"a {function} beside recurrent layers is not read"
            fix = "use quantized_bits, a plain quantized_relu or quantized_tanh(8,use_real_tanh=1)"
            raise ModelError(Blocker(f"layer {name}", what, fix))
    return read


def _read_dense(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A float Dense layer. Raises ModelError."""
    units, function = config.get("units"), config.get("activation") or "linear"
    if not isinstance(units, int) or units < 1:
        raise ModelError(Blocker(f"layer {name}", f"{units!r} units"))
    if function not in ("linear", "relu", "softmax", "sigmoid", "tanh"):
        what = f"{function!r} is not read beside recurrent layers"
        fix = "use linear, relu, tanh, sigmoid or softmax"
        raise ModelError(Blocker(f"layer {name} activation", what, fix))
    own = {"name": name, "units": units, "activation": function, "dtype": "float32"}
    return {**own, "use_bias": bool(config.get("use_bias", True))}


def _classes(path: Path) -> set[str]:
    """Classes of all layers of a file; none where it cannot be read."""
    found: set[str] = set()

    def note(kind: str, name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
        found.add(kind)
        raise ModelError(Blocker(f"layer {name}", "is only looked at"))

    with suppress(ModelError):
        read_keras(path, note)
    return found
