"""Recurrent layers: SimpleRNN, LSTM and GRU of Keras, and those of QKeras.

RTL has none of them yet, so they are read for a project of hls4ml alone. What is refused here is
what hls4ml 1.3 would compute in another way than Keras (converters/keras/recurrent.py,
templates/vivado/nnet_utils/nnet_recurrent.h).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import activation_quantizer, canonical_quantizer

__all__ = [
    "GATES",
    "HLS_ONLY",
    "QUANTIZERS",
    "RECURRENT",
    "RECURRENT_READERS",
    "RTL_REFUSERS",
    "WRAPPERS",
    "cell_function",
    "read_recurrent",
    "recurrent_shape",
]

GATES: Final[Mapping[str, int]] = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
"""How many gates' weights stand side by side in the kernels."""
RECURRENT: Final = tuple(kind for plain in GATES for kind in (plain, f"Q{plain}"))
"""Classes that can be in a project of hls4ml."""
WRAPPERS: Final = ("Bidirectional", "QBidirectional", "TimeDistributed", "RNN", "ConvLSTM2D")
"""Classes around or beside them that cannot."""
QUANTIZERS: Final = (
    "kernel_quantizer",
    "recurrent_quantizer",
    "bias_quantizer",
)
"""Of the arrays of such a layer, in their order."""
HLS_ONLY: Final = (
    "compile it with --hls-only (firmware.rtl: false): that writes hls4ml's project and checks its "
    "C simulation against the model"
)

FUNCTIONS: Final = ("tanh", "sigmoid", "relu")
"""Activations that hls4ml's recurrent layers have (nnet_recr_activations.h)."""
REAL: Final[Mapping[str, str]] = {
    "quantized_tanh": "use_real_tanh",
    "quantized_sigmoid": "use_real_sigmoid",
}
"""Quantizers that are such a function and a rounding, and the parameter that makes them so."""
NOT_DONE: Final[Mapping[str, tuple[str, str]]] = {
    "stateful": (
        "keeps its state from one event to the next",
        "save it with stateful=False: every event starts from zero",
    ),
    "go_backwards": (
        "reads its steps from the last to the first",
        "reverse the steps of the events, and save it with go_backwards=False",
    ),
    "return_state": (
        "hands its state on beside its result",
        "save it with return_state=False; return_sequences=True gives every step's state",
    ),
    "time_major": (
        "takes steps before events",
        "save it with time_major=False",
    ),
    "zero_output_for_mask": (
        "gives zeros for masked steps",
        "save it with zero_output_for_mask=False",
    ),
}
"""Options that have to be off: what they do, and what to do instead."""


def read_recurrent(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a recurrent layer that decide its output, in Keras' own terms.

    Dropout does nothing in inference, and how Keras unrolls the steps changes no result.
    Raises ModelError with everything that hls4ml cannot do.
    """
    where, plain = f"layer {name}", kind.removeprefix("Q")
    blockers = [
        Blocker(where, what, fix) for key, (what, fix) in NOT_DONE.items() if config.get(key)
    ]
    units = config.get("units")
    if not isinstance(units, int) or units < 1:
        blockers.append(Blocker(where, f"{units!r} units"))
    read: dict[str, Any] = {"name": name, "units": units, "dtype": "float32"}
    read["use_bias"] = bool(config.get("use_bias", True))
    read["return_sequences"] = bool(config.get("return_sequences", False))
    for key in ("activation", "recurrent_activation")[: 1 + (plain != "SimpleRNN")]:
        try:
            read[key] = _function(config.get(key), f"{where} {key}", quantized=kind != plain)
        except BlockedError as error:
            blockers.extend(error.blockers)
    if kind != plain:
        found, wrong = _quantizers(where, config)
        read, blockers = {**read, **found}, blockers + wrong
    if plain == "GRU":
        # Keras 2 wrote GRUs before 2.2 without the key; they reset before the product.
        read["reset_after"] = bool(config.get("reset_after", False))
        if not read["reset_after"]:
            what = "resets the state before its product with the weights (reset_after=False)"
            fix = "train it with reset_after=True: hls4ml resets behind the product"
            blockers.append(Blocker(where, what, fix))
    if blockers:
        raise ModelError(blockers)
    return read


def recurrent_shape(layer: Layer, shape: Shape) -> Shape | Blocker:
    """Shape of what leaves a recurrent layer that reads this shape, or why it cannot."""
    if len(shape) != 2:
        what = f"reads a tensor of shape {shape}, not steps x features"
        return Blocker(f"layer {layer.name}", what, "put Reshape before it")
    units = int(layer.config["units"])
    return (shape[0], units) if layer.config["return_sequences"] else (units,)


def cell_function(activation: str | Mapping[str, Any]) -> str:
    """The function of an activation that was read: its name in Keras."""
    if isinstance(activation, str):
        return activation
    return str(activation["class_name"]).removeprefix("quantized_")


def _quantizers(where: str, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Blocker]]:
    """Quantizers of a layer of QKeras: of its weights, and of its state where that has one."""
    found: dict[str, Any] = {}
    blockers: list[Blocker] = []
    readers: dict[str, Callable[[Any, str], dict[str, Any] | None]] = {
        **dict.fromkeys(QUANTIZERS, canonical_quantizer),
        "state_quantizer": activation_quantizer,
    }
    for key, reader in readers.items():
        try:
            found[key] = reader(config.get(key), f"{where} {key}")
        except BlockedError as error:
            blockers.extend(error.blockers)
    for key in QUANTIZERS:
        if found.get(key, "wrong") is None and (key != "bias_quantizer" or config.get("use_bias")):
            fix = "give it a quantizer, quantized_bits(6,0,alpha=1) for instance"
            blockers.append(Blocker(f"{where} {key}", "is missing: weights stay float", fix))
    state = found.get("state_quantizer")
    if state is not None and state["class_name"] != "quantized_bits":
        what = f"a {state['class_name']} is no type of a state"
        blockers.append(Blocker(f"{where} state_quantizer", what, "use quantized_bits"))
    return found, blockers


def _function(value: Any, where: str, *, quantized: bool) -> Any:
    """An activation of a cell by name, or as a quantizer. Raises ModelError."""
    if value in FUNCTIONS:
        return value
    fix = f"use one of {', '.join(FUNCTIONS)}"
    if quantized:
        fix += ", or quantized_tanh(8,use_real_tanh=True), quantized_sigmoid(8,use_real_sigmoid"
        fix += "=True)"
    if value is None or value in ("linear", "softmax", "hard_sigmoid"):
        what = f"hls4ml's recurrent layers have no {value or 'linear'} activation"
        raise ModelError(Blocker(where, what, f"{fix}, and train again"))
    if not quantized:
        raise ModelError(Blocker(where, f"hls4ml's recurrent layers have no {value!r}", fix))
    quantizer = activation_quantizer(value, where)
    assert quantizer is not None
    name = quantizer["class_name"]
    if name in REAL and quantizer["config"].get(REAL[name]):
        return quantizer
    line = " of lines instead of the function" if name in REAL else ""
    what = f"hls4ml's recurrent layers have no {name}{line}"
    raise ModelError(Blocker(where, what, f"{fix}, and train again"))


def _refuse_wrapper(kind: str, name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
    fixes = {
        "TimeDistributed": "put Flatten and a Dense layer behind the steps instead",
        "ConvLSTM2D": "use convolutions, Reshape and an LSTM",
    }
    fix = fixes.get(kind, "use one LSTM or GRU that reads forward, with more units")
    raise ModelError(Blocker(f"layer {name}", f"{kind} is not read", fix))


def _refuse_rtl(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a compilation to RTL says: that there is none, and all else that is wrong."""
    blockers = [Blocker(f"layer {name}", f"{kind}: RTL has no recurrent layers yet", HLS_ONLY)]
    try:
        RECURRENT_READERS[kind](name, config)
    except BlockedError as error:
        blockers.extend(error.blockers)
    raise ModelError(blockers)


RECURRENT_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    **{kind: partial(read_recurrent, kind) for kind in RECURRENT},
    **{kind: partial(_refuse_wrapper, kind) for kind in WRAPPERS},
}
"""Readers of a project without RTL, by class."""
RTL_REFUSERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    **{kind: partial(_refuse_rtl, kind) for kind in RECURRENT},
    **{kind: partial(_refuse_wrapper, kind) for kind in WRAPPERS},
}
"""What a compilation to RTL has instead of readers, by class."""
