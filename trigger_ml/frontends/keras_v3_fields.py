"""Read a layer's parameters out of a ``.keras`` file, value by value, with what is wrong in each.

The parameters are written anew from plain numbers and words: initializers, regularizers and
constraints only matter in training, and are left out.

The semantics are those of HGQ2 0.2.0 (hgq/layers, hgq/quantizer) on Keras 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.model_file import TAIL

__all__ = ["Fields", "is_size", "read_dtype", "read_function", "read_quantized"]

_QUANTIZER: Final = "QuantizerConfig"
_ROUNDING: Final = ("RND", "RND_CONV", "TRN")
_OVERFLOW: Final = ("SAT", "SAT_SYM", "WRAP")
_PLACES: Final = ("bias", "datalane", "table", "weight")
_MUST_BE_NONE: Final[Mapping[str, str]] = {
    "affine": "hls4ml leaves out a quantizer's affine map",
    "bw_mapper": "widths by axis are what firmware knows",
    "scaler": "hls4ml leaves out a quantizer's scale",
}
_TRAINING_ONLY: Final = (
    *("k0", "b0", "i0", "f0", "bc", "ic", "fc", "br", "ir", "fr"),
    *("i_decay_speed", "qnoise_factor"),
)
"""Starting points (the trained widths are weights), their limits and losses, and noise."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A layer's parameters as they are read, and what was found wrong with them.

    where: the layer, as a blocker names it. inputs: how many tensors it reads. Each method
    answers a sane value in any case.
    """

    where: str
    config: Mapping[str, Any]
    inputs: int = 1
    blockers: list[Blocker] = field(default_factory=list)

    def block(self, what: str, fix: str = "") -> None:
        """Note what is wrong, and what to do."""
        self.blockers.append(Blocker(self.where, what, fix))

    def size(self, key: str) -> int:
        """A whole number above 0."""
        value = self.config.get(key)
        if value is not None and is_size(value):
            return int(value)
        self.block(f"{key} is {value!r}, not a whole number above 0")
        return 1

    def sizes(self, key: str) -> list[int]:
        """Whole numbers above 0, one or a list of them."""
        value = self.config.get(key)
        found = value if isinstance(value, list) else [value]
        if found and all(is_size(size) for size in found):
            return list(found)
        self.block(f"{key} is {value!r}, and every axis needs a fixed size")
        return [1]

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            self.block(f"{key} is {value!r}, not true or false")
        return bool(value)

    def must_be(self, key: str, value: Any, fix: str) -> None:
        """Block every other value than one; a key that is not there has it."""
        found = self.config.get(key, value)
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            self.block(f"{key} is {found!r}", fix)

    def word(self, key: str, known: tuple[str, ...], default: str = "") -> str:
        """One of the words known."""
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or value not in known:
            self.block(f"{key} is {value!r}", f"use one of {', '.join(known)}")
            return known[0]
        return value

    def quantizer(self, key: str) -> dict[str, Any] | None:
        """A quantizer's serialized form, from its known parameters alone."""
        item = self.config.get(key)
        if not isinstance(item, dict) or item.get("class_name") != _QUANTIZER:
            self.block(f"{key} is {_short(item)}, not a {_QUANTIZER}", "give the layer a quantizer")
            return None
        inner = Fields(f"{self.where} {key}", item.get("config") or {}, blockers=self.blockers)
        return _read_quantizer(inner)

    def quantizers(self, key: str, count: int) -> list[dict[str, Any] | None]:
        """As many quantizers as the layer reads tensors."""
        items = self.config.get(key)
        if not isinstance(items, list) or len(items) != count:
            self.block(f"{key} are not {count} quantizers, one for each of its inputs")
            return []
        config = {f"{key} {place}": item for place, item in enumerate(items)}
        each = Fields(self.where, config, blockers=self.blockers)
        return [each.quantizer(name) for name in config]


def is_size(value: Any) -> bool:
    """Whether a value is a whole number that an axis can have."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31


def _short(value: Any) -> str:
    return str(value.get("class_name")) if isinstance(value, dict) else repr(value)[:60]


def read_dtype(fields: Fields) -> None:
    """Everything is computed in float32: its sums are held to be exact (see hgq_worker)."""
    dtype = fields.config.get("dtype")
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        dtype = inner.get("name") if isinstance(inner, dict) else None
    if dtype not in (None, "float32"):
        fields.block(f"its dtype is {dtype!r}", "make the model with float32")


def _read_quantizer(fields: Fields) -> dict[str, Any] | None:
    kind = fields.config.get("q_type")
    if kind not in ("kbi", "kif"):
        fields.block(f"a quantizer of type {kind!r} is not fixed-point", "use kif or kbi")
        return None
    for key, why in _MUST_BE_NONE.items():
        if fields.config.get(key) is not None:
            fields.block(f"{key} is {_short(fields.config[key])}; {why}", "leave it out")
    kept = {
        "q_type": kind,
        "place": fields.word("place", _PLACES),
        "round_mode": fields.word("round_mode", _ROUNDING),
        "overflow_mode": fields.word("overflow_mode", _OVERFLOW),
        "trainable": fields.flag("trainable", True),
        "is_weight": fields.flag("is_weight", False),
        **_read_axes(fields),
    }
    for key in fields.config:
        if key not in (*kept, *_TRAINING_ONLY, *_MUST_BE_NONE):
            fields.block(f"a quantizer has no parameter {key}")
    return {
        "module": "hgq.quantizer.config",
        "class_name": _QUANTIZER,
        "config": kept,
        "registered_name": f"hgq>{_QUANTIZER}",
    }


def _read_axes(fields: Fields) -> dict[str, Any]:
    """Axes that share one width, or those that do not: exactly one of the two."""
    keys = ("homogeneous_axis", "heterogeneous_axis")
    found = {key: fields.config.get(key) for key in keys}
    given = [axes for axes in found.values() if axes is not None]
    plain = all(
        isinstance(axes, list) and all(type(axis) is int and -8 < axis < 8 for axis in axes)
        for axes in given
    )
    if len(given) != 1 or not plain:
        fields.block(f"{keys[0]} is {found[keys[0]]!r} and {keys[1]} is {found[keys[1]]!r}")
        return {}
    return found


def read_function(fields: Fields) -> str:
    """A layer's own activation, of those that hls4ml writes as a layer behind it."""
    known = ("relu", "linear", *TAIL)
    found = fields.config.get("activation")
    if isinstance(found, str) and found not in known:
        fix = f"use one of {', '.join(known)}, or put hgq.layers.QUnaryFunctionLUT behind the layer"
        fields.block(f"activation is {found!r}", fix)
        return "linear"
    return fields.word("activation", known, "linear")


def read_quantized(
    fields: Fields, weights: Sequence[str] = (), several: bool = False
) -> dict[str, Any]:
    """What all layers of HGQ2 have: quantizers of inputs, outputs and of the weights named.

    several: whether it has a quantizer for each of several inputs (``iq_confs``). The
    count of arrays in the file depends on enable_ebops, so it is kept.
    """
    found: dict[str, Any] = {
        "dtype": "float32",
        "beta0": 0.0,
        "enable_ebops": fields.flag("enable_ebops", False),
        "enable_iq": fields.flag("enable_iq", True),
        "enable_oq": fields.flag("enable_oq", False),
    }
    if several:
        quantized = found["enable_iq"]
        found["iq_confs"] = fields.quantizers("iq_confs", fields.inputs) if quantized else None
    elif found["enable_iq"]:
        found["iq_conf"] = fields.quantizer("iq_conf")
    else:
        found["iq_conf"] = None
    found["oq_conf"] = fields.quantizer("oq_conf") if found["enable_oq"] else None
    for key in weights:
        found[key] = fields.quantizer(key)
    if weights:
        found["kernel_initializer"] = "zeros"  # quick to make; the file's weights come after
    return found
