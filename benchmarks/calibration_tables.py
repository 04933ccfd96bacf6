"""From the committed table of the study: the fit, its judgement, the plot and the documentation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any, Final

import yaml

from trigger_ml.files import write_text
from trigger_ml.synth.calibration import FILE, Accuracy, Calibration, lut_of
from trigger_ml.synth.calibration_fit import fit_coefficients, judge
from trigger_ml.synth.operation_counts import KINDS, Counts

__all__ = ["Item", "calibrate", "document", "write_tables"]

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "resources.md"
PLOT: Final = ROOT / "docs" / "calibration.svg"
BEGIN: Final = "<!-- written by make calibration -->"
END: Final = "<!-- end -->"
FEW: Final = 10
Item = Mapping[str, Any]
"""A network of the table."""


def calibrate(study: Mapping[str, Any]) -> Calibration:
    """Fit on the calibration set, judge on what is held out; the rules of thumb on all but the
    committed models, some of which they were fitted to."""
    items = study["networks"]
    fitted = [item for item in items if not item["held_out"]]
    rest = [item for item in items if item["held_out"]]
    drawn = [item for item in items if item["family"] != "model"]
    parts = [part for item in fitted for part in _parts(item)]
    lut = fit_coefficients([part[1] for part in parts], [part[0] for part in parts], KINDS)
    accuracy = {
        "lut": _judged(rest, lambda item: _lut(item, lut), lambda item: item["yosys"]["lut"]),
        "ff": _judged(rest, _ff, lambda item: item["yosys"]["ff"]),
        "carry8": _judged(rest, _carry8, lambda item: item["yosys"]["carry8"]),
        "rough_lut": _judged(drawn, _rough_lut, _raw_lut),
        "rough_cycles": _judged(drawn, _rough_cycles, lambda item: item["cycles"]["rtl"]),
    }
    networks = {"calibrated": len(fitted), "held_out": len(rest), "parts": len(parts)}
    return Calibration(study["date"], study["versions"], networks, lut, accuracy)


def write_tables(table: Path) -> str:
    """Write the calibration, the plot and the tables of docs/resources.md; those tables."""
    study = json.loads(table.read_text(encoding="utf-8"))
    found = calibrate(study)
    write_text(FILE, _yaml(found).rstrip())
    text = document(study, found)
    page = DOCUMENT.read_text(encoding="utf-8")
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    write_text(DOCUMENT, f"{head}{BEGIN}\n\n{text}\n{END}{tail}".rstrip("\n"))
    write_text(PLOT, _plot(study["networks"], found).rstrip())
    return text


def document(study: Mapping[str, Any], found: Calibration) -> str:
    """The tables in Markdown."""
    items = study["networks"]
    sets: dict[str, list[Item]] = {
        "all": items,
        "calibration set": [item for item in items if not item["held_out"]],
        "held out": [item for item in items if item["held_out"]],
    }
    families = sorted({item["family"] for item in items})
    sets |= {
        f"held out, {family}": [item for item in sets["held out"] if item["family"] == family]
        for family in families
    }
    figures: Mapping[str, tuple[Callable[[Item], float], Callable[[Item], float]]] = {
        "LUT, predicted": (lambda item: _lut(item, found.lut), lambda item: item["yosys"]["lut"]),
        "LUT, cost model as it is": (_raw_lut, lambda item: item["yosys"]["lut"]),
        "FF": (_ff, lambda item: item["yosys"]["ff"]),
        "CARRY8": (_carry8, lambda item: item["yosys"]["carry8"]),
    }
    versions = ", ".join(f"{name} {value}" for name, value in study["versions"].items())
    lines = [
        f"{len(items)} networks, {study['date']}, {versions}.",
        "",
        "| Estimate against yosys | Networks | Set | MAPE | R\u00b2 | Estimate / count |",
        "|---|---|---|---|---|---|",
    ]
    for figure, (guess, truth) in figures.items():
        for name, chosen in sets.items():
            if chosen and (figure == "LUT, predicted" or "," not in name):
                lines.append(_row(figure, name, _judged(chosen, guess, truth)))
    for figure, key in (
        ("rules of thumb, LUT against cost model", "rough_lut"),
        ("rules of thumb, clocks against RTL", "rough_cycles"),
    ):
        lines.append(_row(figure, "all but models", found.accuracy[key]))
    exact = sum(item["cycles"]["predicted"] == item["cycles"]["rtl"] for item in items)
    simulated = [item for item in items if item["cycles"]["simulated"] is not None]
    same = sum(item["cycles"]["predicted"] == item["cycles"]["simulated"] for item in simulated)
    dsp = sum(item["dsp"] == item["yosys"]["dsp"] for item in items)
    lines += [
        "",
        f"Clocks of latency: as predicted in {exact} of {len(items)} networks by what writes the "
        f"RTL, and in {same} of {len(simulated)} simulated ones by Icarus. DSPs: as predicted in "
        f"{dsp} of {len(items)}.",
        "",
        "| LUTs by yosys for | one |",
        "|---|---|",
        *(f"| {WORDS[kind]} | {found.lut[kind]:g} |" for kind in KINDS if found.lut[kind]),
        "",
        "| Network | Set | Cost model LUT | Predicted LUT | yosys LUT | FF | yosys FF | Clocks |",
        "|---|---|---|---|---|---|---|---|",
        *(_network(item, found) for item in items),
        "",
    ]
    return "\n".join(lines)


WORDS: Final = {
    "add": "column of a sum or difference of two where two bits meet",
    "borrow": "column of a difference whose right side starts lower",
    "sum_of_three": "column of an adder of three where three bits meet",
    "sum_of_two": "the same where two bits meet",
    "sum_of_one": "the same where one bit takes a carry",
    "chained": "column of an adder right behind another one",
    "constant": "column of a constant's addition",
    "constant_in_sum": "the same behind a sum in the same stage",
    "relu": "bit behind a ReLU",
    "choice": "bit of a choice of two",
    "gate": "bit of an AND, OR or XOR",
    "negation": "bit of a negation",
    "product": "bit times bit of a product too small for a DSP",
    "table": "LUT of a table by alkaid's cost",
}


def _parts(item: Item) -> list[tuple[float, Mapping[str, float]]]:
    """LUTs by yosys and counts of what the fit takes one by one.

    yosys counts tables beside the stages that they stand in, so a network with tables is one part.
    """
    if item["counts"].get("table"):
        return [(item["yosys"]["lut"] - item["fixed_lut"], item["counts"])]
    return [(lut, counts) for lut, counts in item["parts"]]


def _judged(
    items: Sequence[Item], guess: Callable[[Item], float], truth: Callable[[Item], float]
) -> Accuracy:
    return judge([guess(item) for item in items], [truth(item) for item in items])


def _lut(item: Item, coefficients: Mapping[str, float]) -> float:
    return lut_of(Counts(item["counts"]), item["fixed_lut"], coefficients)


def _raw_lut(item: Item) -> float:
    return float(item["cost_model"]["lut"])


def _ff(item: Item) -> float:
    return float(item["cost_model"]["ff"])


def _carry8(item: Item) -> float:
    return float(item["carry4"]) / 2


def _rough_lut(item: Item) -> float:
    return float(item["rough"]["lut"])


def _rough_cycles(item: Item) -> float:
    return float(item["rough"]["cycles"])


def _row(figure: str, name: str, found: Accuracy) -> str:
    span = f"{found.least:.2f} to {found.most:.2f}"
    # Of a few networks R2 says nothing.
    r2 = f"{found.r2:.4f}" if found.networks >= FEW else ""
    return f"| {figure} | {found.networks} | {name} | {found.mape:.1%} | {r2} | {span} |"


def _network(item: Item, found: Calibration) -> str:
    kind = "held out" if item["held_out"] else "fit"
    yosys = item["yosys"]
    return (
        f"| {item['name']} | {kind} | {_raw_lut(item):,.0f} | {_lut(item, found.lut):,.0f} | "
        f"{yosys['lut']:,.0f} | {_ff(item):,.0f} | {yosys['ff']:,.0f} | {item['cycles']['rtl']} |"
    )


def _yaml(found: Calibration) -> str:
    def rounded(accuracy: Accuracy) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(accuracy).items()}

    content = {
        "date": found.date,
        "versions": dict(found.versions),
        "networks": dict(found.networks),
        "lut": dict(found.lut),
        "accuracy": {name: rounded(item) for name, item in found.accuracy.items()},
    }
    head = "# Written by make calibration; docs/resources.md says how.\n"
    return head + yaml.safe_dump(content, sort_keys=False)


def _plot(items: Sequence[Item], found: Calibration) -> str:
    """Estimates over counts, as SVG; the same bytes for the same table."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "calibration"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), sharex=True)
    for held, colour, label in ((False, "0.6", "fitted"), (True, "tab:blue", "held out")):
        chosen = [item for item in items if item["held_out"] == held]
        luts = [item["yosys"]["lut"] for item in chosen]
        guess = [_lut(item, found.lut) / item["yosys"]["lut"] for item in chosen]
        flops = [_ff(item) / item["yosys"]["ff"] for item in chosen]
        left.plot(luts, guess, "o", ms=3.5, color=colour, label=label)
        right.plot(luts, flops, "o", ms=3.5, color=colour, label=label)
    raw = [_raw_lut(item) / item["yosys"]["lut"] for item in items]
    left.plot(
        [item["yosys"]["lut"] for item in items],
        raw,
        "x",
        ms=3,
        color="tab:orange",
        label="cost model as it is",
    )
    for axes, name in ((left, "LUT"), (right, "FF")):
        axes.axhline(1, color="0.3", lw=0.8)
        axes.set(xscale="log", xlabel="LUT by yosys", ylabel=f"{name}: estimate / yosys")
        axes.set_ylim(0.4, 1.3)
    left.legend(fontsize=7)
    figure.tight_layout()
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return text.getvalue()
