"""What yosys will count, predicted from the counts of the cost model, and how far off that may be.

LUTs are a sum over kinds of logic, each with one coefficient; the coefficients were fitted to
pipeline stages that yosys has mapped, and judged on networks that took no part in the fit. Both
are in ``calibration.yaml`` beside this file, which ``make calibration`` writes; docs/resources.md
shows the study. Flip-flops, CARRY8 and DSPs are counted, not fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from trigger_ml.synth.operation_counts import Counts

__all__ = [
    "STUDY",
    "VENDOR_LUT",
    "Accuracy",
    "Calibration",
    "band",
    "load_calibration",
    "lut_of",
    "predicted",
]

FILE: Final = Path(__file__).with_name("calibration.yaml")
STUDY: Final = "docs/resources.md"
VENDOR_LUT: Final = (1 / 1.03, 1 / 0.88)
"""LUTs that Vivado routed over alkaid's cost, at the ends of 20 published jet networks, whose cost
over LUTs was 0.88 to 1.03."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How an estimate did on networks that were held out.

    mape: mean of |estimate - counted| / counted. r2: of the counts. low, high: counted over
    estimate; at least 95 % of the networks are between. least, most: of estimate over counted.
    """

    networks: int
    mape: float
    r2: float
    low: float
    high: float
    least: float
    most: float

    def around(self, value: float) -> dict[str, float]:
        """An estimate with its band."""
        return {"value": value, "low": value * self.low, "high": value * self.high}


@dataclass(frozen=True, slots=True)
class Calibration:
    """date: of the study. versions: of its tools. networks: calibrated and held out. lut: LUTs
    for one unit of each kind of logic. accuracy: on what was held out, by figure."""

    date: str
    versions: Mapping[str, str]
    networks: Mapping[str, int]
    lut: Mapping[str, float]
    accuracy: Mapping[str, Accuracy]


@cache
def load_calibration() -> Calibration:
    """The calibration that this version ships."""
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    accuracy = {name: Accuracy(**item) for name, item in data.pop("accuracy").items()}
    return Calibration(**data, accuracy=accuracy)


def lut_of(counts: Counts, fixed: float, coefficients: Mapping[str, float]) -> float:
    """LUTs of counted logic. fixed: those that are known, such as shift registers."""
    return fixed + sum(coefficients.get(kind, 0.0) * n for kind, n in counts.amounts.items())


def predicted(counts: Counts, fixed: float, ff: float) -> dict[str, Any]:
    """``details["predicts"]`` of an estimate: what yosys will count, with bands.

    counts: of the whole design. fixed: its LUTs beside logic. ff: its flip-flops.
    """
    known = load_calibration()
    found = {
        "lut": lut_of(counts, fixed, known.lut),
        "ff": ff,
        "carry8": counts.carry4 / 2,
    }
    return {
        "yosys": {
            **{name: known.accuracy[name].around(value) for name, value in found.items()},
            "dsp": counts.dsp,
        },
        "mape": known.accuracy["lut"].mape,
        "networks": known.networks["held_out"],
        "study": STUDY,
    }


def band(lut: float, ff: float) -> dict[str, list[float]]:
    """``details["band"]`` of an estimate: lowest and highest count that is to be expected.

    Of LUTs against Vivado's, published; of flip-flops against yosys's, measured.
    """
    flops = load_calibration().accuracy["ff"]
    return {"lut": [lut * end for end in VENDOR_LUT], "ff": [ff * flops.low, ff * flops.high]}
