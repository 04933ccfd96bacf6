"""Which objects a ``.keras`` file may name in a layer's parameters.

Keras makes an object of every dictionary with a ``class_name`` in it. Those of a model file are
held against the list here, and a file that names anything else is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker

__all__ = ["foreign_objects"]

_KERAS_OBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "keras": ("DTypePolicy",),
    "keras.constraints": ("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"),
    "keras.initializers": (
        "Constant",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LecunNormal",
        "LecunUniform",
        "Ones",
        "Orthogonal",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "Zeros",
    ),
    "keras.regularizers": ("L1", "L1L2", "L2", "OrthogonalRegularizer"),
}
_HGQ_OBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "hgq.constraints": ("Constant", "Max", "Min", "MinMax"),
    "hgq.quantizer.config": ("QuantizerConfig",),
    "hgq.regularizers": ("MonoL1",),
}
_OBJECTS: Final = frozenset(
    [(module, name, None) for module, names in _KERAS_OBJECTS.items() for name in names]
    + [(module, name, f"hgq>{name}") for module, names in _HGQ_OBJECTS.items() for name in names]
)


def foreign_objects(name: str, config: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for each object in a layer's parameters that is not on the list."""
    return [
        Blocker(
            f"layer {name} {path}",
            f"holds an object {module}.{kind}, and only objects of Keras and HGQ2 that are known "
            "are ever made",
            "save the model without it",
        )
        for path, module, kind, registered in _objects(config, "")
        if not _is_known(module, kind, registered)
    ]


def _is_known(module: str, kind: str, registered: Any) -> bool:
    hashable = registered is None or isinstance(registered, str)
    return hashable and (module, kind, registered) in _OBJECTS


def _objects(value: Any, path: str) -> Iterator[tuple[str, str, str, Any]]:
    """Path, module, class and registered name of everything that Keras would make an object of."""
    if isinstance(value, dict):
        if "class_name" in value:
            module, kind = value.get("module"), value["class_name"]
            yield path, str(module), str(kind), value.get("registered_name")
        for key, item in value.items():
            plain = key == "config" and "class_name" in value
            yield from _objects(item, path if plain else f"{path} {key}".strip())
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item, path)
