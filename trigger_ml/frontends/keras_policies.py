"""Layers whose weights Keras 3 stores as something else than floats, told from their dtype."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker

__all__ = ["policy_problems"]

_CODES: Final = ("int8", "int4", "float8", "gptq", "awq")
"""Modes of ``Model.quantize``, with which the name of a policy begins (Keras 3.3 to 3.14)."""
_FIX: Final = (
    "build the model again after keras.config.set_dtype_policy('float32'), set_weights of this "
    "one, and save it"
)


def policy_problems(item: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for a layer whose stored weights are codes, or bfloat16, which HDF5 has not."""
    name = _policy(item["config"].get("dtype"))
    where = f"layer {item['config'].get('name')}"
    if name.startswith(_CODES):
        what = f"is stored as {re.split('[_/]', name)[0]}, as Model.quantize of Keras 3 writes it"
        fix = "save the model before model.quantize, and choose types here: --data, or QKeras"
        return [Blocker(where, what, fix)]
    if item["class_name"] == "Cast":
        # Keras 3.8, for one, puts it before the first layer of a model of another policy.
        what = f"a cast to {name}, of a model in that precision"
        return [Blocker("layer Cast" if where == "layer None" else where, what, _FIX)]
    if name == "bfloat16" and item["class_name"] != "InputLayer":
        what = "has the dtype bfloat16, in which Keras also stores its weights"
        return [Blocker(where, what, _FIX)]
    return []


def _policy(dtype: Any) -> str:
    """Name of a layer's policy: text until Keras 3.3, an object afterwards."""
    options = dtype.get("config") if isinstance(dtype, Mapping) else {"name": dtype}
    if not isinstance(options, Mapping):
        return ""
    return str(options.get("mode") or options.get("name") or "")
