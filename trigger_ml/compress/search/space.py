"""The search space: which parameters a search may set, and to what.

In YAML, by name: a range, a list of choices, or one value that stays as it is::

    beta:          {low: 1.0e-8, high: 1.0e-4, log: true}
    hidden:        {low: 8, high: 64, step: 8}
    activation:    {choices: [relu, linear]}
    epochs:        40

A range whose numbers are all whole draws whole numbers. Problems are reported all at once.
"""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, PlainValidator, field_validator, model_validator

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.settings import check_settings

__all__ = ["Choices", "Parameters", "Range", "Space", "Suggester", "Value", "parse_space"]

Value = float | int | str
Parameters = Mapping[str, Value]


class Suggester(Protocol):
    """What draws values: an ``optuna.Trial``."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float:
        """A number between two others, both possible."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """A whole number between two others, both possible."""

    def suggest_categorical(self, name: str, choices: tuple[Value, ...]) -> Any:
        """One of several values."""


def _number(value: Any) -> float | int:
    if isinstance(value, str):  # YAML 1.1 takes 1e-8, without a point, for text
        with contextlib.suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number")
    return value


def _value(value: Any) -> Value:
    if not isinstance(value, int | float | str) or not _finite(value):
        raise ValueError("must be a number, a text, true or false")
    return value


def _finite(value: Value) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


Number = Annotated[float | int, PlainValidator(_number)]


class Range(BaseModel):
    """Numbers from low to high, both included.

    log: draw the logarithm evenly; for a range over decades. step: distance between the values
    that may be drawn, counted from low.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be below high ({self.low} and {self.high})")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above zero for log: true ({self.low})")
        if self.step is not None:
            if self.step <= 0:
                raise ValueError(f"step must be above zero ({self.step})")
            steps = (self.high - self.low) / self.step
            if steps < 1 or not math.isclose(steps, round(steps), rel_tol=1e-9):
                raise ValueError(f"high must be a whole number of steps above low ({steps:g})")
        return self

    @property
    def whole(self) -> bool:
        """Whether it draws whole numbers."""
        return all(isinstance(x, int) for x in (self.low, self.high, self.step or 0))

    def suggest(self, name: str, source: Suggester) -> Value:
        """Draw a value."""
        if self.whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return source.suggest_int(name, low, high, step=step, log=self.log)
        return source.suggest_float(
            name, float(self.low), float(self.high), step=self.step, log=self.log
        )

    def holds(self, value: Value) -> bool:
        """Whether a value could be drawn."""
        if isinstance(value, str | bool) or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.whole else None)
        if step is None:
            return True
        steps = (value - self.low) / step
        return math.isclose(steps, round(steps), rel_tol=1e-9, abs_tol=1e-9)


class Choices(BaseModel):
    """One of several values, without an order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    choices: tuple[Annotated[Any, PlainValidator(_value)], ...]

    @field_validator("choices")
    @classmethod
    def _several(cls, choices: tuple[Value, ...]) -> tuple[Value, ...]:
        if len(choices) < 2:
            raise ValueError("write two or more, or the value alone to fix it")
        if len({(type(choice), choice) for choice in choices}) < len(choices):
            raise ValueError("a choice is there twice")
        return choices

    def suggest(self, name: str, source: Suggester) -> Value:
        """Draw a value."""
        drawn: Value = source.suggest_categorical(name, self.choices)
        return drawn

    def holds(self, value: Value) -> bool:
        """Whether a value could be drawn."""
        return any(type(value) is type(choice) and value == choice for choice in self.choices)


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """searched: what is drawn, by name. fixed: what stays as it is, by name."""

    searched: Mapping[str, Range | Choices]
    fixed: Parameters

    def suggest(self, source: Suggester) -> dict[str, Value]:
        """Every parameter of a trial; what ``source`` has drawn before stays as it was."""
        drawn = {name: entry.suggest(name, source) for name, entry in self.searched.items()}
        return {**self.fixed, **drawn}

    def within(self, values: Parameters) -> dict[str, Value]:
        """Those of some values that the search could have drawn itself."""
        return {
            name: values[name]
            for name, entry in self.searched.items()
            if name in values and entry.holds(values[name])
        }

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON, by name."""
        return dict(self.fixed) | {
            name: entry.model_dump(mode="json", exclude_defaults=True)
            for name, entry in self.searched.items()
        }


def parse_space(data: Any, where: str, known: Collection[str] | None = None) -> Space:
    """Read a space. Raises ConfigError listing every wrong name and entry.

    data: what YAML held. where: the file and key, for messages. known: the names that mean
    something; any name when None.
    """
    if not isinstance(data, Mapping) or not data:
        raise ConfigError(Blocker(where, "must hold parameters by name", "beta: {low: 0, high: 1}"))
    blockers: list[Blocker] = []
    searched: dict[str, Range | Choices] = {}
    fixed: dict[str, Value] = {}
    for name, entry in data.items():
        place = f"{where}.{name}"
        if known is not None and name not in known:
            near = difflib.get_close_matches(str(name), sorted(known), n=1, cutoff=0.5)
            fix = f"did you mean {near[0]}?" if near else f"they are {', '.join(sorted(known))}"
            blockers.append(Blocker(place, "there is no such parameter", fix))
        elif isinstance(entry, Mapping):
            try:
                kind: type[Range | Choices] = Choices if "choices" in entry else Range
                searched[str(name)] = check_settings(kind, entry, place)
            except ConfigError as error:
                blockers += error.blockers
        elif isinstance(entry, bool | int | float | str) and _finite(entry):
            fixed[str(name)] = entry
        else:
            fix = "write {low: .., high: ..}, {choices: [..]} or one value"
            blockers.append(Blocker(place, f"{entry!r} is no entry of a search space", fix))
    if not searched and not blockers:
        blockers.append(Blocker(where, "every parameter is fixed", "give one of them a range"))
    if blockers:
        raise ConfigError(blockers)
    return Space(searched, fixed)
