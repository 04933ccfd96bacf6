"""A model of one layer, or a few, that stands for what a front end takes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["GROUPS", "KERAS_2", "Case", "cases"]

GROUPS: Final = tuple(
    sorted(path.stem.removeprefix("cases_") for path in Path(__file__).parent.glob("cases_*.py"))
)
"""Modules of cases: ``cases_<group>.py`` has a tuple CASES."""
SUFFIXES: Final = {
    "QKeras .h5": ".h5",
    "Keras 3 .keras": ".keras",
    "HGQ2 .keras": ".keras",
    "ONNX QCDQ": ".onnx",
    "ONNX QONNX": ".onnx",
    "hls4ml .fml": ".fml",
    "float Keras 2 .h5": ".h5",
    "float Keras 3 .keras": ".keras",
    "float ONNX": ".onnx",
}
KERAS_2: Final = ("QKeras .h5", "float Keras 2 .h5")
"""Kinds of files that Keras 2 writes."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of docs/layers.md.

    name: unique within its kind; "layer: what is special". build: writes the model file; runs in
    a process of its own, where Keras 2 is bound for kinds in ``KERAS_2``, and where HGQ2 can
    be imported if the group's name starts with ``hgq``. kind: the front end. config: YAML that
    the compilation needs.
    """

    name: str
    build: Callable[[Path], None]
    kind: str
    config: str = ""

    @property
    def floats(self) -> bool:
        """Whether types come from events."""
        return self.kind.startswith("float ")

    @property
    def file(self) -> str:
        """Name of the model file."""
        stem = "".join(c if c.isalnum() else "_" for c in f"{self.kind} {self.name}").lower()
        return f"l_{stem}{SUFFIXES[self.kind]}"


def cases(group: str) -> tuple[Case, ...]:
    """The cases of a group. Builders import their frameworks when they are called."""
    found: tuple[Case, ...] = importlib.import_module(f"tests.layers.cases_{group}").CASES
    return found
