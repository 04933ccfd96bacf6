"""What changed between two networks, and between two builds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from trigger_ml.graph.model import Node
from trigger_ml.graph.operations import WEIGHTED
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.inspect.network import Network
from trigger_ml.inspect.subject import Figures, Subject

__all__ = ["Difference", "FigureChange", "LayerChange", "WeightChange", "compare"]

SCHEMA: Final = 1
WEIGHTS: Final = (("weights", "weight", "weight_type"), ("bias", "bias", "bias_type"))
DERIVED: Final = ("accumulator",)
"""Follows from the weights and the types of what is read."""
CLOSE: Final = 1e-12
"""Floats of one build read back from JSON are the same; others differ by more."""


@dataclass(frozen=True, slots=True)
class FigureChange:
    """name: of the figure. old, new: None where that side has none."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class WeightChange:
    """Numbers of one layer that changed. what: "weights" or "bias". changed, of: how many, of
    all. largest: the largest change. steps: the same in steps of the finer of the two types."""

    what: str
    changed: int
    of: int
    largest: float
    steps: float


@dataclass(frozen=True, slots=True)
class LayerChange:
    """status: "added", "removed", "renamed" or "changed"; a renamed layer may have changed too.
    old, new: its names. figures: kind, shape, type and the like. weights: changed numbers."""

    status: str
    old: str | None
    new: str | None
    kind: str
    figures: tuple[FigureChange, ...] = ()
    weights: tuple[WeightChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that changed, and nothing else. sections: by what they are about. notes: what
    was not compared, and why; they are no difference."""

    old: str
    new: str
    layers: tuple[LayerChange, ...]
    sections: Mapping[str, tuple[FigureChange, ...]]
    notes: tuple[str, ...]

    @property
    def different(self) -> bool:
        """Whether anything changed."""
        return bool(self.layers) or any(self.sections.values())

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"schema": SCHEMA, "different": self.different, **asdict(self)}


def compare(old: Subject, new: Subject) -> Difference:
    """All changes from one side to the other; measured figures only where both were built."""
    sections = {"totals": _figures(old.totals, new.totals)}
    if old.is_build and new.is_build:
        names = dict.fromkeys((*old.sections, *new.sections))
        for name in names:
            changes = _figures(old.sections.get(name, {}), new.sections.get(name, {}))
            sections[name] = changes
    return Difference(
        old.name,
        new.name,
        tuple(_layers(old.network, new.network)),
        sections,
        tuple(_notes(old, new)),
    )


def _notes(old: Subject, new: Subject) -> list[str]:
    notes = []
    if old.is_build != new.is_build:
        notes.append("Only one of them is a build, so nothing that is measured is compared.")
    unknown = dict.fromkeys((*old.network.unknown, *new.network.unknown))
    if unknown:
        notes.append(f"Not compared, for want of their framework (--full): {', '.join(unknown)}.")
    return notes


def _figures(old: Figures, new: Figures) -> tuple[FigureChange, ...]:
    names = dict.fromkeys((*old, *new))
    return tuple(
        FigureChange(name, old.get(name), new.get(name))
        for name in names
        if not _same(old.get(name), new.get(name))
    )


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= CLOSE * max(abs(old), abs(new), 1.0)
    return bool(old == new)


def _layers(old: Network, new: Network) -> list[LayerChange]:
    """Layers by name; of those left over, one in the same place and of the same kind is it."""
    renamed = _renamed(old, new)
    back = {after: before for before, after in renamed.items()}
    found: list[LayerChange] = []
    for name in old.order:
        if name not in new.order and name not in renamed:
            found.append(LayerChange("removed", name, None, _kind(name, old)))
    for name in new.order:
        before = back.get(name, name)
        if before not in old.order:
            found.append(LayerChange("added", None, name, _kind(name, new)))
            continue
        change = _layer(before, name, old, new, renamed)
        if change is not None:
            found.append(change)
    return found


def _renamed(old: Network, new: Network) -> dict[str, str]:
    """Names in the old network to names in the new one."""
    left, right = _left_over(old, new), _left_over(new, old)
    pairs: dict[str, str] = {}
    for place, names in left.items():
        others = list(right.get(place, ()))
        for name in names:
            match = next((item for item in others if _alike(name, old, item, new)), None)
            if match is not None:
                pairs[name] = match
                del others[: others.index(match) + 1]
    return pairs


def _left_over(network: Network, other: Network) -> dict[str, list[str]]:
    """Names that only this network has, by the last name before them that both have."""
    found: dict[str, list[str]] = {}
    place = ""
    for name in network.order:
        if name in other.order:
            place = name
        else:
            found.setdefault(place, []).append(name)
    return found


def _alike(name: str, network: Network, other_name: str, other: Network) -> bool:
    if _kind(name, network) != _kind(other_name, other):
        return False
    node, known = network.graph.by_name.get(name), other.graph.by_name.get(other_name)
    return node is None or known is None or node.shape == known.shape


def _kind(name: str, network: Network) -> str:
    node = network.graph.by_name.get(name)
    return network.layers[name].kind if node is None else node.operation.kind


def _layer(
    before: str, after: str, old: Network, new: Network, renamed: Mapping[str, str]
) -> LayerChange | None:
    """What changed in a layer that both have; None for nothing."""
    kind = _kind(after, new)
    figures: list[FigureChange] = []
    weights: list[WeightChange] = []
    if _kind(before, old) != kind:
        figures.append(FigureChange("kind", _kind(before, old), kind))
    left, right = old.graph.by_name.get(before), new.graph.by_name.get(after)
    if left is not None and right is not None:
        figures += _edge(left, right, renamed)
        figures += _operation(left, right)
        for what, key, type_key in WEIGHTS:
            weights += _numbers(what, _weights(left, key, type_key), _weights(right, key, type_key))
    if before == after and not figures and not weights:
        return None
    status = "changed" if before == after else "renamed"
    return LayerChange(status, before, after, kind, tuple(figures), tuple(weights))


def _edge(old: Node, new: Node, renamed: Mapping[str, str]) -> list[FigureChange]:
    reads = tuple(renamed.get(name, name) for name in old.inputs)
    pairs = (
        ("reads", ", ".join(reads), ", ".join(new.inputs)),
        ("shape", _shape(old.shape), _shape(new.shape)),
        ("type", str(old.type), str(new.type)),
    )
    return [FigureChange(*pair) for pair in pairs if pair[1] != pair[2]]


def _operation(old: Node, new: Node) -> list[FigureChange]:
    """What the operations say of themselves; numbers of weights are left out here."""
    found = []
    if type(old.operation) is not type(new.operation):
        return []
    for item in fields(old.operation):
        if item.name in DERIVED:
            continue
        left, right = (getattr(node.operation, item.name) for node in (old, new))
        name = item.name.replace("_", " ")
        if isinstance(left, np.ndarray):
            if left.shape != right.shape:
                found.append(
                    FigureChange(f"shape of {name}", _shape(left.shape), _shape(right.shape))
                )
            elif not isinstance(old.operation, WEIGHTED) and (
                changed := int((left != right).sum())
            ):
                found.append(
                    FigureChange(f"{name}, entries", None, f"{changed} of {left.size} differ")
                )
        elif left != right:
            found.append(FigureChange(name, _plain(left), _plain(right)))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, FixedType):
        return str(value)
    return _shape(value) if isinstance(value, tuple) else getattr(value, "value", value)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _weights(node: Node, key: str, type_key: str) -> tuple[Codes, FixedType] | None:
    if not isinstance(node.operation, WEIGHTED):
        return None
    return getattr(node.operation, key), getattr(node.operation, type_key)


def _numbers(
    what: str, old: tuple[Codes, FixedType] | None, new: tuple[Codes, FixedType] | None
) -> list[WeightChange]:
    """Changes of value; a finer type alone is none."""
    if old is None or new is None or old[0].shape != new[0].shape:
        return []
    apart = np.abs(new[1].decode(new[0]) - old[1].decode(old[0]))
    changed = int(np.count_nonzero(apart))
    if not changed:
        return []
    largest = float(apart.max())
    step = min(kind.step for codes, kind in (old, new) if codes.any())
    return [WeightChange(what, changed, apart.size, largest, largest / step)]
