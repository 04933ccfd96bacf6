"""The layers of hls4ml that a saved graph may hold, and what of each is kept.

Whatever else a saved layer holds is left out: quantizers that were applied already, names of
types and variables, C++. What is kept is numbers within limits and words out of lists.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError

__all__ = ["CLASSES", "MOST_ELEMENTS", "Kind", "Value", "checked"]

MOST_ELEMENTS: Final = 1 << 22
"""Elements of a tensor, and the largest size of anything."""
LARGEST_NUMBER: Final = 1e6
"""A parameter of an activation beyond this is no slope and no threshold."""
MOST_AXES: Final = 4


class Value(Enum):
    """What a value may be."""

    COUNT = "a whole number, not negative"
    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    SHAPE = "a list of sizes"


Rule = Value | tuple[str, ...]
"""A kind of value, or the words that it may be."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a class of layers is read.

    name: how hls4ml's registry calls it; {} stands for the value of ``named_by``. values: by the
    name of the attribute; those in ``optional`` may be missing or empty. types: attributes
    ``<name>_t`` with a type of their own. weights: arrays, in the order in which they are counted.
    transposed: axes that undo what hls4ml does to the weights for its strategy "resource".
    """

    name: str
    values: Mapping[str, Rule] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    types: tuple[str, ...] = ()
    optional_types: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    transposed: tuple[int, ...] = ()
    named_by: str = ""
    inputs: int = 1


COUNT: Final = Value.COUNT
PADS: Final = ("pad_top", "pad_bottom", "pad_left", "pad_right")
_TABLE: Final[dict[str, Rule]] = {"n_in": COUNT, "table_size": COUNT}
_CONV1: Final[dict[str, Rule]] = dict.fromkeys(
    ("in_width", "out_width", "n_chan", "n_filt", "filt_width", "stride_width", *PADS[2:]), COUNT
)
_CONV2: Final[dict[str, Rule]] = _CONV1 | dict.fromkeys(
    ("in_height", "out_height", "filt_height", "stride_height", *PADS[:2]), COUNT
)
_CHOICES: Final[dict[str, Rule]] = {"parallelization_factor": COUNT, "dilation": COUNT}
_POOL: Final[dict[str, Rule]] = {
    "pool_op": ("Max", "Average"),
    "n_filt": COUNT,
    "count_pad": Value.FLAG,
}
_POOL1: Final[dict[str, Rule]] = _POOL | dict.fromkeys(
    ("n_in", "n_out", "pool_width", "stride_width", *PADS[2:]), COUNT
)
_POOL2: Final[dict[str, Rule]] = _POOL | dict.fromkeys(
    (
        *("in_height", "in_width", "out_height", "out_width", "pool_height", "pool_width"),
        *("stride_height", "stride_width", *PADS),
    ),
    COUNT,
)
_GLOBAL: Final[dict[str, Rule]] = {"pool_op": ("Max", "Average"), "n_filt": COUNT}
_SCALE: Final = Kind(
    "BatchNormalization",
    {"n_in": COUNT, "n_filt": Value.WHOLE},
    frozenset({"n_filt"}),
    weights=("scale", "bias"),
)
_SOFTMAX_SIZES: Final[dict[str, Rule]] = {
    "exp_table_size": COUNT,
    "inv_table_size": COUNT,
    "n_outer": COUNT,
    "n_inner": COUNT,
    "exp_scale": Value.NUMBER,
    "parallelization_factor": Value.WHOLE,
}


def _dense_like(name: str, values: dict[str, Rule], transposed: tuple[int, ...]) -> Kind:
    kept = values | (_CHOICES if name != "Dense" else {})
    return Kind(
        name,
        kept,
        frozenset(_CHOICES),
        types=("accum",),
        weights=("weight", "bias"),
        transposed=transposed,
    )


_LAYERS: Final = "hls4ml.model.layers."
_CONV1D: Final = _dense_like("Conv1D", _CONV1, (1, 2, 0))
_CONV2D: Final = _dense_like("Conv2D", _CONV2, (1, 2, 3, 0))
CLASSES: Final[Mapping[str, Kind]] = {
    f"{_LAYERS}Input": Kind("Input", {"input_shape": Value.SHAPE}, inputs=0),
    f"{_LAYERS}Dense": _dense_like("Dense", {"n_in": COUNT, "n_out": COUNT}, (1, 0)),
    f"{_LAYERS}Conv1D": _CONV1D,
    f"{_LAYERS}Conv2D": _CONV2D,
    # The same sums as those of a convolution whose kernel has one element.
    "hls4ml.backends.fpga.fpga_layers.PointwiseConv1D": _CONV1D,
    "hls4ml.backends.fpga.fpga_layers.PointwiseConv2D": _CONV2D,
    f"{_LAYERS}Activation": Kind(
        "Activation",
        {**_TABLE, "activation": ("linear", "relu", "tanh", "sigmoid")},
        types=("table",),
    ),
    f"{_LAYERS}ParametrizedActivation": Kind(
        "{}",
        {
            **_TABLE,
            "activation": ("LeakyReLU", "ThresholdedReLU"),
            "activ_param": Value.NUMBER,
        },
        types=("table", "param"),
        named_by="activation",
    ),
    f"{_LAYERS}PReLU": Kind(
        "PReLU", {**_TABLE, "activation": ("PReLU",)}, types=("table",), weights=("param",)
    ),
    f"{_LAYERS}Softmax": Kind(
        "Softmax",
        {
            **_TABLE,
            "activation": ("softmax",),
            "axis": Value.WHOLE,
            "implementation": ("stable", "latency", "legacy", "argmax"),
            **_SOFTMAX_SIZES,
        },
        frozenset(_SOFTMAX_SIZES),
        types=("accum", "table", "exp_table", "inv_table", "inv_inp"),
        optional_types=("inp_norm",),
    ),
    f"{_LAYERS}BatchNormalization": _SCALE,
    f"{_LAYERS}ApplyAlpha": _SCALE,
    f"{_LAYERS}Merge": Kind(
        "Merge",
        {"op": ("add", "subtract", "multiply", "average", "maximum", "minimum")},
        inputs=2,
    ),
    f"{_LAYERS}Concatenate": Kind(
        "Concatenate",
        {"op": ("concatenate1d", "concatenate2d", "concatenate3d"), "axis": Value.WHOLE},
        inputs=2,
    ),
    f"{_LAYERS}Reshape": Kind("Reshape", {"target_shape": Value.SHAPE}),
    f"{_LAYERS}Pooling1D": Kind("{}Pooling1D", _POOL1, types=("accum",), named_by="pool_op"),
    f"{_LAYERS}Pooling2D": Kind("{}Pooling2D", _POOL2, types=("accum",), named_by="pool_op"),
    f"{_LAYERS}GlobalPooling1D": Kind(
        "Global{}Pooling1D", {**_GLOBAL, "n_in": COUNT}, types=("accum",), named_by="pool_op"
    ),
    f"{_LAYERS}GlobalPooling2D": Kind(
        "Global{}Pooling2D",
        {**_GLOBAL, "in_height": COUNT, "in_width": COUNT},
        types=("accum",),
        named_by="pool_op",
    ),
}
"""By the name of the class that hls4ml saves. Graphs whose layers are all of these have readers
in :mod:`trigger_ml.graph.from_hls4ml`."""


def checked(value: Any, rule: Rule, where: str) -> Any:
    """A value of a file as the rule allows it. Raises ModelError."""
    if isinstance(rule, tuple):
        if isinstance(value, str) and value in rule:
            return value
        raise _refused(where, value, f"one of {', '.join(rule)}")
    match rule:
        case Value.COUNT | Value.WHOLE:
            # hls4ml saves some sizes as text (``fix_softmax_table_size``).
            number = int(value) if isinstance(value, str) and _is_digits(value) else value
            least = 0 if rule is Value.COUNT else -MOST_ELEMENTS
            if _is_int(number) and least <= number <= MOST_ELEMENTS:
                return number
        case Value.NUMBER:
            if (_is_int(value) or isinstance(value, float)) and abs(value) <= LARGEST_NUMBER:
                return float(value)
        case Value.FLAG:
            if isinstance(value, bool):
                return value
        case Value.SHAPE:
            sizes = value if isinstance(value, list) and len(value) <= MOST_AXES else []
            whole = bool(sizes) and all(_is_int(size) and size > 0 for size in sizes)
            if whole and math.prod(sizes) <= MOST_ELEMENTS:
                return tuple(sizes)
    raise _refused(where, value, rule.value)


def _refused(where: str, value: Any, expected: str) -> ModelError:
    return ModelError(Blocker(where, f"is {repr(value)[:60]}, not {expected}", "save it again"))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9
