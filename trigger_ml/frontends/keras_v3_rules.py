"""What there is to know of a class of layers in a ``.keras`` file: origin, reader, shapes, names.

Modules ``keras_v3_*.py`` each hold a mapping ``RULES`` of the classes they are about, by name;
:mod:`trigger_ml.frontends.keras_v3_layers` puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_v3_fields import Fields
from trigger_ml.frontends.model_file import Layer

__all__ = ["Rule", "Shape", "same_shape"]

Shape = tuple[int, ...]
"""Of one event: without the batch axis."""


def same_shape(_layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    """The shape after a layer that works on each element alone."""
    return shapes[0]


@dataclass(frozen=True, slots=True)
class Rule:
    """A class of layers with firmware.

    module, registered: the module and registered name that a file must give it. reader: from its
    parameters in the file to those that matter, in Keras' terms; where it reads several tensors,
    ``fields.inputs`` is their number. shape: what it makes of the shapes that it reads, or why it
    cannot follow them. inputs: the least and the most tensors that it reads. weights: whether it
    holds numbers that training found, other than widths. function: whether its ``activation`` is
    one of Keras' functions, which hls4ml writes as a layer of its own behind it. written: another
    class that the copy of the file has in its place.
    """

    module: str
    registered: str | None
    reader: Callable[[Fields], dict[str, Any]]
    shape: Callable[[Layer, Sequence[Shape]], Shape | Blocker] = same_shape
    inputs: tuple[int, int] = (1, 1)
    weights: bool = False
    function: bool = False
    written: str = ""
