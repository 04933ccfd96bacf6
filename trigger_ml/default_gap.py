"""What hls4ml's own default conversion of a model would have computed, and where it goes wrong.

Many a model is wrong in firmware because nothing was set: the input type, an accumulator, a
quantizer that was dropped, a softmax by coarse tables. This compiles that conversion too and
compares it with the model, layer by layer, beside the types that :mod:`trigger_ml.pipeline` sets.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import HlsProject
from trigger_ml.config import Config
from trigger_ml.default_layers import LayerGap, first_wrong, layer_gaps, only_own
from trigger_ml.default_models import Compared, opened_both
from trigger_ml.errors import ToolFailedError
from trigger_ml.float_models import LARGEST_ERROR
from trigger_ml.frontends.default_client import Conversion, LayerValues
from trigger_ml.frontends.model_file import first_line
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import FixedType
from trigger_ml.progress import Listener, Quiet, Stopwatch
from trigger_ml.simulate import csim

__all__ = ["Confirmation", "DefaultGap", "compare_with_default"]

TABLES: Final = ("softmax", "table")
"""Kinds of causes of layers that no table makes equal; they may be off as float models may."""
MOSTLY: Final = 0.25
"""What may be left of the error of such a layer, if that is more: its results are cut as well."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The default conversion with one thing changed. changes: as of the layer. differing, error:
    of that layer, afterwards. confirmed: whether it is right then."""

    changes: Mapping[str, Any]
    differing: float
    error: float
    confirmed: bool


@dataclass(frozen=True, slots=True)
class DefaultGap:
    """The whole comparison.

    layers: in evaluation order, the inputs first. first_wrong: name of the first layer that is
    wrong and passes it on, empty without one. events: compared. largest_error: what a layer may be
    off by, root mean square over its standard deviation; 0 where all has to be equal. exact: share
    of the events whose outputs are equal. output_error: of the outputs, as of a layer.
    same_decision: share with the same largest output, None with one output. refused: what hls4ml or
    the compiler says where the default conversion makes nothing that runs; the figures mean nothing
    then. notes: what was compared, in words.
    """

    layers: tuple[LayerGap, ...]
    first_wrong: str
    events: int
    largest_error: float
    exact: float
    output_error: float
    same_decision: float | None
    refused: str
    notes: tuple[str, ...]
    confirmation: Confirmation | None = None

    @property
    def first(self) -> LayerGap | None:
        """The first layer that is wrong and passes it on."""
        return next((layer for layer in self.layers if layer.layer == self.first_wrong), None)

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**asdict(self), "first": asdict(self.first) if self.first else None}


def compare_with_default(
    model: Path,
    config: Config,
    data: Path | None,
    events: int | None,
    listener: Listener | None = None,
    *,
    confirm: bool = False,
) -> DefaultGap:
    """Convert a model both ways, run hls4ml's default and compare it with the model.

    data: events, otherwise draws over the input type; a float model needs some. events: how many,
    None for 1000, and fewer of large images. confirm: mend the first wrong layer's cause alone and
    see whether the layer is right then. Raises TriggerMLError as a compilation does.
    """
    clock = Stopwatch(listener or Quiet())
    with (
        tempfile.TemporaryDirectory(prefix="trigger-ml.") as folder,
        opened_both(model, config, data, events, Path(folder), clock) as both,
    ):
        run = _Run(both, config, Path(folder), clock)
        gap = run.gap()
        first = gap.first
        if not confirm or first is None or not first.changes:
            return gap
        return replace(gap, confirmation=run.confirmation(first))


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    both: Compared
    config: Config
    work: Path
    clock: Stopwatch

    def gap(self) -> DefaultGap:
        both = self.both
        conversion, found, right = self._simulated("default", {})
        if not found:
            own = tuple(only_own(node) for node in both.network.nodes)
            return _nothing(own, conversion, both)
        gaps = layer_gaps(conversion, found, right, both)
        outputs = np.concatenate([found[name] for name in conversion.outputs], axis=1)
        wanted = both.outputs
        several = wanted.shape[1] > 1
        same = float((outputs.argmax(axis=1) == wanted.argmax(axis=1)).mean()) if several else None
        return DefaultGap(
            tuple(gaps.values()),
            first_wrong(conversion, gaps),
            len(wanted),
            both.rule.largest_error,
            1.0 - float(both.rule.differing(outputs, wanted).mean()),
            both.rule.error(outputs, wanted),
            same,
            "",
            both.notes,
        )

    def confirmation(self, first: LayerGap) -> Confirmation:
        """Convert again with nothing changed but what is the matter with a layer."""
        conversion, found, right = self._simulated("mended", first.changes)
        if not found:
            return Confirmation(first.changes, 1.0, first.error, False)
        again = layer_gaps(conversion, found, right, self.both).get(first.layer)
        if again is None:
            return Confirmation(first.changes, 1.0, first.error, False)
        right_now = not again.wrong
        if first.cause_kind in TABLES:
            right_now = again.error <= max(LARGEST_ERROR, first.error * MOSTLY)
        return Confirmation(first.changes, again.differing, again.error, right_now)

    def _simulated(
        self, name: str, changes: Mapping[str, Any]
    ) -> tuple[Conversion, dict[str, Values], dict[str, LayerValues]]:
        """Convert, run; what hls4ml's layers gave and what they should have, by their names.

        Where hls4ml or the compiler makes nothing of it, nothing, and why.
        """
        both, values = self.both, self.both.values
        with self.clock.stage(f"{name}_convert", f"convert it as hls4ml does ({name})"):
            conversion = both.model.convert(self.config, self.work / name, both.top, changes)
        if conversion.refused:
            return conversion, {}, {}
        with self.clock.stage(f"{name}_csim", f"C simulation ({name})"):
            project = HlsProject(self.work / name, both.top, self.config.firmware.backend, "")
            try:
                found = _shown(
                    project, both.network, conversion, values, self.work / f"{name}_csim"
                )
            except ToolFailedError as error:
                said = f"its C++ fails: {_reason(str(error))}"
                return replace(conversion, refused=said), {}, {}
        with self.clock.stage(f"{name}_source", "the model, layer by layer"):
            right = both.model.compare(conversion, values, found)
        return conversion, found, right


def _shown(
    project: HlsProject,
    network: FixedGraph,
    conversion: Conversion,
    values: Values,
    work: Path,
) -> dict[str, Values]:
    """What inputs, outputs and layers of a project give, by name, each (events, size)."""
    library = csim.build(project, network, work)
    sizes = {layer.name: layer.size for layer in conversion.layers if layer.traced}
    ends = [conversion.by_name[name].size for name in conversion.outputs]
    raw = library.run_values(values, ends, sizes, 0)
    named = [*zip(conversion.outputs, ends, strict=True), *sizes.items()]
    found: dict[str, Values] = {}
    start = 0
    for name, size in named:
        found[name] = raw[:, start : start + size]
        start += size
    start = 0
    for name in conversion.inputs:
        layer = conversion.by_name[name]
        part = values[:, start : start + layer.size]
        found[name] = _cast(part, layer.type)
        start += layer.size
    return found


def _nothing(own: tuple[LayerGap, ...], conversion: Conversion, both: Compared) -> DefaultGap:
    limit = both.rule.largest_error
    return DefaultGap(own, "", 0, limit, 0.0, 0.0, None, conversion.refused, both.notes)


def _cast(values: Values, text: str) -> Values:
    if not text:
        return values
    kind = FixedType.parse(text)
    return kind.decode(kind.encode(values))


def _reason(message: str) -> str:
    """The compiler's first complaint, or else the first line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    said = next((line for line in lines if "error:" in line), lines[0] if lines else "")
    return first_line(Exception(said.rpartition("error: ")[2]))
