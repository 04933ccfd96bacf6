"""How the figures of a model read: the columns and sentences that table and page share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from trigger_ml.inspect.cost import ROUGH
from trigger_ml.inspect.figures import Inspection, LayerFigures
from trigger_ml.inspect.network import DIRECT
from trigger_ml.synth.calibration import load_calibration

__all__ = ["LEFT", "columns", "rows", "sentences", "short_type", "title", "total_rows"]

MISSING: Final = "\u00b7"
TIMES: Final = "\u00d7"

Column = tuple[str, Callable[[LayerFigures], str]]

LEFT: Final = ("layer", "kind", "reads", "type", "weight type", "note")
"""Columns of words; the others are numbers."""


def columns(inspection: Inspection) -> tuple[str, ...]:
    """Heads of the table."""
    return tuple(name for name, _ in _columns(inspection))


def rows(inspection: Inspection) -> list[tuple[str, ...]]:
    """The cells of every layer."""
    texts = [text for _, text in _columns(inspection)]
    return [tuple(text(layer) for text in texts) for layer in inspection.layers]


def short_type(text: str) -> str:
    """A type without its modes: fixed<8,2,RND_CONV,SAT> is fixed<8,2>."""
    return re.sub(r",[A-Z].*(?=>)", "", text)


def title(inspection: Inspection) -> str:
    """What was looked at, and who read it."""
    reader = "read without its framework" if inspection.read_by == DIRECT else "read by hls4ml"
    return f"{inspection.file}: {inspection.format}, {reader}"


def total_rows(inspection: Inspection) -> list[tuple[str, str]]:
    """What the whole takes, as names and figures."""
    total = inspection.totals
    about = "about " if inspection.estimate == ROUGH else ""
    found = [("parameters", _parameters(inspection)), ("MACs per event", _count(total.macs))]
    if total.lut is not None:
        share = (
            f"{_share(total.lut_share)} of {inspection.part}, {_share(total.slr_share)} of an SLR"
        )
        found.append(("LUT", f"{about}{_count(total.lut)}, {share}"))
    if total.latency_cycles is not None:
        clocks = f"{total.latency_cycles} clocks"
        ns = f"{total.latency_ns:.1f} ns at {inspection.clock_mhz:g} MHz"
        found.append(("latency", f"{about}{clocks}, {ns}"))
        found.append(("an event every", f"{_clocks(total.ii_cycles)}, {total.ii_ns:.1f} ns"))
    if inspection.events is not None:
        found.append(("events looked at", _count(inspection.events)))
    return found


def sentences(inspection: Inspection) -> list[str]:
    """What the reader of the figures has to know."""
    found = list(inspection.notes)
    if inspection.totals.lut is not None:
        if inspection.estimate == ROUGH:
            found.append(
                f"LUTs and latency are rough, by rules of thumb: {_roughness()}. --trace counts "
                "them with the cost model."
            )
        else:
            found.append(
                "LUTs and latency by alkaid's cost model, before synthesis; docs/resources.md "
                "says how far both may be off."
            )
    if inspection.tail:
        found.append(f"The last {inspection.tail} is not in the firmware by default.")
    return found


def _columns(inspection: Inspection) -> list[Column]:
    found: list[Column] = [
        ("layer", lambda layer: layer.name),
        ("kind", lambda layer: layer.kind),
        ("reads", lambda layer: ", ".join(layer.reads)),
        ("shape", lambda layer: TIMES.join(map(str, layer.shape or ())) or MISSING),
        ("type", lambda layer: layer.type or MISSING),
        ("weights", lambda layer: _count(layer.weights)),
        ("weight type", lambda layer: layer.weight_type or ""),
        ("zeros", _zeros),
        ("MACs", lambda layer: _count(layer.macs)),
        ("LUT", lambda layer: _cost(layer.lut)),
        ("ns", lambda layer: f"{layer.latency_ns:.1f}" if layer.latency_ns else ""),
    ]
    if inspection.events is not None:
        found += [
            ("min", lambda layer: f"{layer.data.minimum:g}" if layer.data else MISSING),
            ("max", lambda layer: f"{layer.data.maximum:g}" if layer.data else MISSING),
            (
                "saturated",
                lambda layer: _share(layer.data.saturated_fraction if layer.data else None),
            ),
            ("unused bits", _unused),
        ]
    if any(layer.note for layer in inspection.layers):
        found.append(("note", lambda layer: layer.note))
    return found


def _unused(layer: LayerFigures) -> str:
    """Top and bottom bits that no event uses."""
    if layer.data is None:
        return MISSING
    return f"{layer.data.unused_top_bits} top, {layer.data.unused_low_bits} low"


def _zeros(layer: LayerFigures) -> str:
    if not layer.weights or layer.zero_weights is None:
        return ""
    return f"{layer.zero_weights / layer.weights:.0%}"


def _cost(lut: float | None) -> str:
    """Nothing for wires."""
    return f"{lut:,.0f}" if lut else ""


def _roughness() -> str:
    """How far rough figures were off in the study of docs/resources.md."""
    known = load_calibration().accuracy
    lut, cycles = known["rough_lut"], known["rough_cycles"]
    return (
        f"over {lut.networks} networks LUTs were {lut.mape:.0%} off the cost model and clocks "
        f"{cycles.mape:.0%} off the RTL, at worst {lut.least:.2f} to {lut.most:.2f} and "
        f"{cycles.least:.2f} to {cycles.most:.2f} of them"
    )


def _parameters(inspection: Inspection) -> str:
    total = inspection.totals
    if total.nonzero is None:
        return _count(total.parameters)
    return f"{total.parameters:,}, {total.nonzero:,} of them not zero"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _clocks(count: int | None) -> str:
    return "clock" if count == 1 else f"{count} clocks"


def _share(value: float | None) -> str:
    if value is None:
        return MISSING
    return f"{value:.2%}" if value else "0 %"
