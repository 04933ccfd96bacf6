"""One way to build a network, what it would take, and what it may take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from trigger_ml.config import Config
from trigger_ml.synth.devices import Device

__all__ = ["Candidate", "Limit", "Settings", "excess", "least_excess", "limits_of"]

ROUNDING: Final = 1e-9
"""36 clocks at 360 MHz are 100 ns, in floating point too."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Keys of ``firmware`` in a configuration. columns_per_clock: None where nothing streams."""

    routing_margin: float
    adder_depth: int
    columns_per_clock: int | None = None

    def text(self) -> str:
        """As in "routing_margin 1.5, adder_depth 2"."""
        return ", ".join(f"{key} {value:g}" for key, value in self.to_keys().items())

    def to_keys(self) -> dict[str, Any]:
        """Keys and values that a configuration would have; None is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings and what the cost model says of them.

    clock_ns: period of the clock. latency_cycles, ii_cycles: clocks of an event and from one to
    the next. lut, ff, dsp: of the whole top. lut_low: LUTs to expect at least, as the estimate is
    off. worst_stage_ns: longest estimated logic delay between two registers.
    """

    settings: Settings
    clock_ns: float
    latency_cycles: int
    ii_cycles: int
    lut: float
    lut_low: float
    ff: float
    dsp: float
    worst_stage_ns: float

    @property
    def latency_ns(self) -> float:
        """Time from an event's input to its output."""
        return self.latency_cycles * self.clock_ns

    @property
    def ii_ns(self) -> float:
        """Time from one event to the next."""
        return self.ii_cycles * self.clock_ns

    @property
    def margin(self) -> float:
        """Clock period over the longest stage: at least routing_margin, unless one operation
        alone is longer than a stage."""
        return self.clock_ns / self.worst_stage_ns if self.worst_stage_ns > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure of a candidate may be.

    key: of the configuration. figure: attribute of Candidate. name, unit: as messages have it.
    whole: how many the part has, where the figure is a share of it.
    """

    key: str
    figure: str
    name: str
    most: float
    unit: str = ""
    whole: int | None = None

    def value(self, candidate: Candidate) -> float:
        """The candidate's figure."""
        return float(getattr(candidate, self.figure))

    def least(self, candidate: Candidate) -> float:
        """The lowest that the figure may turn out to be."""
        return candidate.lut_low if self.figure == "lut" else self.value(candidate)

    def met(self, candidate: Candidate) -> bool:
        """Whether the candidate keeps within it, by the estimate."""
        return self._within(self.value(candidate))

    def possible(self, candidate: Candidate) -> bool:
        """Whether the candidate may keep within it, as far as the estimate can be off."""
        return self._within(self.least(candidate))

    def _within(self, value: float) -> bool:
        return value <= self.most * (1 + ROUNDING)


def excess(candidate: Candidate, limits: tuple[Limit, ...]) -> float:
    """How far over its limits a candidate is where it is worst: 0 if nowhere, 1 for twice."""
    return _worst((limit.value(candidate), limit.most) for limit in limits)


def least_excess(candidate: Candidate, limits: tuple[Limit, ...]) -> float:
    """The same by the lowest figures that there may be."""
    return _worst((limit.least(candidate), limit.most) for limit in limits)


def _worst(figures: Iterable[tuple[float, float]]) -> float:
    over = (
        value / most - 1 if most else float("inf")
        for value, most in figures
        if value > most * (1 + ROUNDING)
    )
    return max(over, default=0.0)


def limits_of(config: Config, device: Device) -> tuple[Limit, ...]:
    """What the budget grants; where it says nothing of LUTs or DSPs, what the part has."""
    budget = config.budget
    found = []
    for figure, name, most in (
        ("latency_ns", "latency", budget.latency_ns),
        ("ii_ns", "initiation interval", budget.ii_ns),
    ):
        if most is not None:
            found.append(Limit(f"budget.{figure}", figure, name, most, " ns"))
    for figure, name, share, there in (
        ("lut", "LUT", budget.lut_share, device.lut),
        ("dsp", "DSP", budget.dsp_share, device.dsp),
        ("ff", "flip-flops", None, device.ff),
    ):
        key = "target.part" if share is None else f"budget.{figure}_share"
        most = there * (1.0 if share is None else share)
        found.append(Limit(key, figure, name, most, "", there))
    return tuple(found)
